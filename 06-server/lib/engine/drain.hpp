// The clock of an orderly end: when to look at the connections, and when it is late.
#pragma once

#include <cstdint>

namespace lab {

/// Times are ticks. The grace after the deadline is counted in looks, because ticks also pass while
/// the process is stopped, and then no connection has a turn in which it could close.
class Drain {
 public:
  /// @param deadline_ticks from begin() until those that are left are reset
  Drain(std::uint32_t deadline_ticks, std::uint32_t grace_ticks) noexcept
      : deadline_ticks_(deadline_ticks), grace_ticks_(grace_ticks) {}

  /// The clock starts.
  void begin(std::uint32_t tick) noexcept {
    begin_tick_ = tick;
    looked_tick_ = tick - 1;
  }

  /// True once a tick.
  bool is_time_to_look(std::uint32_t tick) noexcept {
    if (looked_tick_ == tick) return false;
    looked_tick_ = tick;
    if (past_deadline(tick)) ++looks_past_deadline_;
    return true;
  }

  /// From now on, whoever is still there is reset.
  bool past_deadline(std::uint32_t tick) const noexcept {
    return tick - begin_tick_ >= deadline_ticks_;
  }
  /// Resets have not helped either: what is still due will not come.
  bool too_late() const noexcept { return looks_past_deadline_ > grace_ticks_; }

 private:
  std::uint32_t deadline_ticks_;
  std::uint32_t grace_ticks_;
  std::uint32_t begin_tick_ = 0;
  std::uint32_t looked_tick_ = 0;
  std::uint32_t looks_past_deadline_ = 0;
};

}  // namespace lab
