// Fake time: it stands still until somebody waits, then jumps to what happens next.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "tests/fake_kernel/trace.hpp"

namespace lab::fake {

inline constexpr std::uint64_t microsecond = 1'000;
inline constexpr std::uint64_t millisecond = 1'000'000;

class Clock {
 public:
  explicit Clock(Trace& trace) noexcept : trace_(trace) {}

  std::uint64_t now() const noexcept { return now_; }

  /// Something happens `delay_ns` from now; what is due at the same time happens in this order.
  void after(std::uint64_t delay_ns, std::function<void()> what) {
    events_.push({now_ + delay_ns, ++last_, std::move(what)});
  }

  /// Time passes: everything that is due by then happens.
  void advance(std::uint64_t by_ns) {
    const std::uint64_t until = now_ + by_ns;
    while (!events_.empty() && events_.top().time <= until) step();
    set(until);
  }

  bool idle() const noexcept { return events_.empty(); }

  /// Jumps to the next thing that happens.
  void step() {
    const Event event = events_.top();
    events_.pop();
    if (event.time > now_) set(event.time);
    event.what();
  }

 private:
  struct Event {
    std::uint64_t time;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const noexcept {
      return time != other.time ? time > other.time : order > other.order;
    }
  };

  void set(std::uint64_t now) noexcept {
    now_ = now;
    trace_.set_now(now);
  }

  Trace& trace_;
  std::uint64_t now_ = 1'000 * millisecond;  // zero would be a special time
  std::uint64_t last_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace lab::fake
