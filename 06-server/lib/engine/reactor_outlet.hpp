// An acceptor's end of a Handover: what it knows of one reactor, and the connections on their way
// there.
//
// Lifetime: the acceptor's. Rule: a connection is passed only for a credit.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "04-advanced/lib/mailbox.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/connection_balance.hpp"
#include "06-server/lib/engine/control_sender.hpp"
#include "06-server/lib/engine/handover.hpp"

namespace lab {

/// One reactor, as the acceptor's thread sees it.
class ReactorOutlet {
 public:
  /// @param stats the reactor's block
  /// @throws std::system_error
  ReactorOutlet(Ring& ring, const WorkerStats& stats) : stats_(stats) {
    int pair[2];
    check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    control_ = Fd(pair[0]);
    reactor_control_ = Fd(pair[1]);
    handover_.acceptor_fd = ring.raw()->ring_fd;
    handover_.credits_home = credits_home_.address();
  }
  ReactorOutlet(const ReactorOutlet&) = delete;
  ReactorOutlet& operator=(const ReactorOutlet&) = delete;

  /// For the reactor's start().
  Handover& handover() noexcept { return handover_; }
  /// Its end of the control socket, which stays open as long as this.
  int reactor_control_fd() const noexcept { return reactor_control_.get(); }

  /// The reactor has started. What it counted before is not open any more.
  void begin() noexcept {
    credits_ = handover_.first_credits;
    closed_before_ = stats_.get(Stat::closed);
    heartbeat_ = stats_.heartbeat.get();
  }

  /// What a choice goes by.
  ReactorChoice::Candidate candidate() const noexcept {
    const std::uint64_t closed = stats_.get(Stat::closed) - closed_before_;
    return {.credits = credits_,
            .awake = awake(),
            .connections = passed_ > closed ? passed_ - closed : 0};
  }
  /// Clients that may be accepted for it. One that sleeps takes no new ones.
  std::uint32_t room() const noexcept { return awake() ? credits_ : 0; }

  /// REQUIRES: a credit. @return the place in which the connection goes
  HandoverPlace& take_place() noexcept {
    LAB_ASSERT(credits_ > 0);
    --credits_;
    ++passed_;
    ++on_their_way_;
    HandoverPlace& place = handover_.places[next_];
    next_ = (next_ + 1) % Handover::places_max;
    LAB_ASSERT(!place.full.load(std::memory_order_acquire));
    return place;
  }
  /// The message's CQE has come: the connection is there.
  void arrived() noexcept { --on_their_way_; }

  /// Once a tick of the acceptor's, which is as long as the reactor's.
  void look() noexcept {
    const std::uint64_t heartbeat = stats_.heartbeat.get();
    silent_ticks_ = std::exchange(heartbeat_, heartbeat) == heartbeat ? silent_ticks_ + 1 : 0;
  }
  /// False when its loop has not come round for a fifth of a second: its clients wait.
  bool awake() const noexcept { return silent_ticks_ < asleep_ticks; }
  /// How long its loop has not come round, in ticks.
  std::uint32_t silent_ticks() const noexcept { return silent_ticks_; }

  /// Passes on a word of the supervisor's. @return false: it takes no more
  bool tell(char command, const Fd& parcel = {}) noexcept {
    return send_control(control_.get(), command, parcel);
  }
  /// Nothing is on its way, so it may be told to drain: it gets no client after that.
  bool may_be_drained() const noexcept { return !drained_ && on_their_way_ == 0; }
  /// Tells it, once.
  void drain(char command) noexcept {
    drained_ = true;
    if (!tell(command)) control_.reset();  // the end of the file says the same
  }
  /// Its loop has ended.
  bool ended() const noexcept { return handover_.ended.load(std::memory_order_acquire); }

 private:
  static constexpr std::uint32_t asleep_ticks = 8;

  void on_credits(Cqe cqe) noexcept { credits_ += static_cast<std::uint32_t>(cqe.res); }

  const WorkerStats& stats_;
  Handover handover_;
  Fd control_;
  Fd reactor_control_;
  std::uint32_t credits_ = 0;
  std::uint32_t next_ = 0;          ///< the place that is taken next
  std::uint32_t on_their_way_ = 0;  ///< passed, and their message's CQE is still due
  std::uint64_t passed_ = 0;
  std::uint64_t closed_before_ = 0;
  std::uint64_t heartbeat_ = 0;
  std::uint32_t silent_ticks_ = 0;
  bool drained_ = false;  ///< it was told to drain
  Bind<Mailbox, &ReactorOutlet::on_credits> credits_home_{*this};
};

}  // namespace lab
