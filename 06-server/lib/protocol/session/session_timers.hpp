// When which session is to go on: a wheel of lists, one for each tick of the next few seconds.
//
// Lifetime: its worker's; a timer is stopped before it dies. Rule: it only wakes; the connection
// goes on in its next hook.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// A session's place in the wheel.
class SessionTimer {
 public:
  SessionTimer() noexcept = default;
  ~SessionTimer() { LAB_ASSERT(!armed_); }
  SessionTimer(const SessionTimer&) = delete;
  SessionTimer& operator=(const SessionTimer&) = delete;

  /// True until it wakes or is stopped.
  bool armed() const noexcept { return armed_; }
  /// The tick at which it wakes; no_deadline: none.
  std::uint32_t due() const noexcept { return armed_ ? due_ : no_deadline; }

 private:
  friend class SessionTimers;

  ListLink<SessionTimer> link_;
  std::optional<Waker> waker_;
  std::uint32_t due_ = 0;
  bool armed_ = false;  ///< exactly while it is in a list
};

/// Times are ticks, which wrap. Starting and stopping cost no search; a tick costs a look at those
/// in one list.
class SessionTimers {
 public:
  /// @param now the tick of the hook that runs
  /// @param due at the earliest the next tick
  void start(SessionTimer& timer, std::uint32_t now, std::uint32_t due, Waker waker) noexcept {
    LAB_ASSERT(!timer.armed_);
    if (size_++ == 0) looked_ = now;
    timer.armed_ = true;
    timer.waker_ = waker;
    timer.due_ = is_over(due, looked_) ? looked_ + 1 : due;
    list(timer.due_).push_back(timer);
  }
  /// As often as one likes.
  void stop(SessionTimer& timer) noexcept {
    if (!timer.armed_) return;
    timer.armed_ = false;
    list(timer.due_).remove(timer);
    --size_;
  }

  /// Ticks may have been missed: a process does not always run.
  void on_tick(std::uint32_t now) noexcept {
    if (size_ == 0 || is_over(now, looked_)) return;
    const std::uint32_t missed = std::min(now - looked_, ticks);
    looked_ = now;
    for (std::uint32_t back = missed; back-- > 0;) wake(now - back, now);
  }

  /// Timers that are armed.
  unsigned size() const noexcept { return size_; }

 private:
  static constexpr std::uint32_t ticks = 256;  ///< 6.4 s; who waits longer is looked at and left
  using List = IntrusiveList<SessionTimer, &SessionTimer::link_>;

  static bool is_over(std::uint32_t due, std::uint32_t now) noexcept {
    return static_cast<std::int32_t>(now - due) >= 0;
  }
  List& list(std::uint32_t tick) noexcept { return lists_[tick % ticks]; }

  void wake(std::uint32_t tick, std::uint32_t now) noexcept {
    for (SessionTimer* timer = list(tick).front(); timer != nullptr;) {
      SessionTimer& one = *timer;
      timer = List::next(one);
      if (!is_over(one.due_, now)) continue;
      stop(one);
      one.waker_->wake();
    }
  }

  std::array<List, ticks> lists_;
  std::uint32_t looked_ = 0;  ///< the latest tick whose list was looked at
  unsigned size_ = 0;
};

}  // namespace lab
