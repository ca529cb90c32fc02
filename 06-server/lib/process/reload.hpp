// What a server reads anew on SIGHUP while it serves on: a site, certificates.
//
// Lifetime: what context points to outlives the supervisor, in whose process all of it runs.
#pragma once

#include <poll.h>

#include <cerrno>
#include <exception>
#include <string>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/server_log.hpp"

namespace lab {

/// Three steps, because reading may take seconds and the supervisor never waits.
struct Reload {
  void* context = nullptr;
  /// Begins. Null: the server has nothing to read anew, and SIGHUP drains it.
  /// @return a descriptor that is readable when it is over
  /// @throws std::exception with the reason why not
  int (*begin)(void* context) = nullptr;
  /// Takes what was read: from now on new workers inherit it.
  /// @return what it is, in words, for the log
  /// @throws std::exception with the reason; then all stays as it was
  std::string (*finish)(void* context) = nullptr;
  /// The same for a worker that runs already: it gets the descriptor, see Worker::handle_parcels().
  /// @throws std::exception
  Fd (*parcel)(void* context) = nullptr;
};

/// Completes when a descriptor is readable.
class PollReadable : public Completion {
 public:
  using Completion::Completion;

  void start(Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_poll_add(sqe, fd, POLLIN);
    ring.arm(sqe, *this);
  }
};

/// Goes through the steps. Owner: on_read_anew(), when new workers inherit what was read.
template <class Owner>
class Reloading {
 public:
  Reloading(Owner& owner, Ring& ring, ServerLog& log, const Reload& reload) noexcept
      : owner_(owner), ring_(ring), log_(log), reload_(reload) {}

  bool possible() const noexcept { return reload_.begin != nullptr; }
  Fd parcel() { return reload_.parcel(reload_.context); }

  /// Once more after the one that is going on, if one is.
  void begin() noexcept {
    again_ = over_.armed();
    if (again_) return;
    try {
      over_.start(ring_, reload_.begin(reload_.context));
      log_("reading anew");
    } catch (const std::exception& error) {
      log_("all stays as it was: {}", explain(error));
    }
  }

 private:
  void on_over(Cqe cqe) noexcept {
    if (cqe.res == -ECANCELED) return;
    try {
      log_("{}", reload_.finish(reload_.context));
      owner_.on_read_anew();
    } catch (const std::exception& error) {
      log_("all stays as it was: {}", explain(error));
    }
    if (again_) begin();
  }

  Owner& owner_;
  Ring& ring_;
  ServerLog& log_;
  const Reload& reload_;
  bool again_ = false;  ///< asked for while something was being read
  Bind<PollReadable, &Reloading::on_over> over_{*this};
};

}  // namespace lab
