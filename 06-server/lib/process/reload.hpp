// What a server reads anew while it serves on, at a signal or when it changes: a site,
// certificates, where its access log goes.
//
// Lifetime: what context points to outlives the supervisor, in whose process all of it runs.
#pragma once

#include <poll.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/reload_pause.hpp"
#include "06-server/lib/process/server_log.hpp"

namespace lab {

/// Three steps, because reading may take seconds and the supervisor never waits.
struct Reload {
  /// What is read anew. A worker is told it in front of the parcel.
  enum class Kind : std::uint8_t {
    site,          ///< a Generation, see site_parcel.hpp
    certificates,  ///< see tls_parcel.hpp
    access_log     ///< the file that it goes to
  };
  Kind kind = Kind::site;   ///< by it a worker knows what is in a parcel
  int signal = SIGHUP;      ///< that begins it
  void* context = nullptr;  ///< handed to each function as it is
  /// Begins.
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
  /// Where nobody has to ask, as it is seen when something changes. Null: it is not.
  /// @return the same descriptor each time, readable when something happened
  int (*watch)(void* context) = nullptr;
  /// Takes what happened. Never waits.
  /// @return true when reading anew would find something else
  bool (*changed)(void* context) = nullptr;
};

/// Completes when a descriptor is readable.
class PollReadable : public Completion {
 public:
  using Completion::Completion;

  /// Once. The descriptor stays open until the CQE.
  void start(Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_poll_add(sqe, fd, POLLIN);
    ring.arm(sqe, *this);
  }
};

/// Goes through the steps. Owner: on_read_anew(this), when new workers inherit what was read, and
/// may_read_anew(): it does not end yet.
template <class Owner>
class Reloading {
 public:
  /// All four outlive it. It begins when it is asked to.
  Reloading(Owner& owner, Ring& ring, ServerLog& log, const Reload& reload) noexcept
      : owner_(owner), ring_(ring), log_(log), reload_(reload) {}
  Reloading(const Reloading&) = delete;
  Reloading& operator=(const Reloading&) = delete;

  /// What it reads anew.
  Reload::Kind kind() const noexcept { return reload_.kind; }
  /// True while something is being read.
  bool reads() const noexcept { return over_.armed(); }
  /// The signal that begins it.
  int signal() const noexcept { return reload_.signal; }
  /// For a worker that runs already. @throws std::exception
  Fd parcel() { return reload_.parcel(reload_.context); }

  /// From now on it begins by itself, too, where the server watches.
  void start_watching() noexcept {
    if (reload_.watch != nullptr) happened_.start(ring_, reload_.watch(reload_.context));
  }

  /// Once more after the one that is going on, if one is.
  void begin() noexcept {
    again_ = over_.armed();
    if (again_) return;
    pause_.on_read();
    try {
      over_.start(ring_, reload_.begin(reload_.context));
      if (kind() == Reload::Kind::site) log_("reading anew");
      if (kind() == Reload::Kind::certificates) log_("reading the certificate anew");
    } catch (const std::exception& error) {
      stays(error);
    }
  }

 private:
  static constexpr std::uint64_t look_ms = 50;

  // --- what happens to what is watched ---

  void on_happened(Cqe cqe) noexcept {
    if (cqe.res == -ECANCELED) return;
    if (reload_.changed(reload_.context)) {
      pause_.on_change(now_ms());
      if (!look_.armed()) look_.start(ring_, look_ms * 1'000'000U);
    }
    start_watching();
  }

  void on_look(Cqe cqe) noexcept {
    if (cqe.res == -ECANCELED || !pause_.waits() || !owner_.may_read_anew()) return;
    if (pause_.due(now_ms()) && !over_.armed()) return begin();
    look_.start(ring_, look_ms * 1'000'000U);
  }

  // --- the end of reading ---

  void on_over(Cqe cqe) noexcept {
    if (cqe.res == -ECANCELED) return;
    try {
      log_("{}", reload_.finish(reload_.context));
      owner_.on_read_anew(*this);
    } catch (const std::exception& error) {
      stays(error);
    }
    if (again_) begin();
  }
  void stays(const std::exception& why) {
    constexpr const char* names[] = {"the site", "the certificate", "the access log"};
    log_("{} stays as it was: {}", names[static_cast<std::size_t>(kind())], explain(why));
  }

  std::uint64_t now_ms() const noexcept { return ring_.now_ns() / 1'000'000U; }

  Owner& owner_;
  Ring& ring_;
  ServerLog& log_;
  const Reload& reload_;
  ReloadPause pause_;
  bool again_ = false;  ///< asked for while something was being read
  Bind<PollReadable, &Reloading::on_over> over_{*this};
  Bind<PollReadable, &Reloading::on_happened> happened_{*this};
  /// Armed exactly while a change waits for its pause.
  Bind<Timer, &Reloading::on_look> look_{*this};
};

}  // namespace lab
