// Whether a worker is so far behind that new clients had better not be let in.
//
// No completion says how long it has waited. One does all the same: the worker's own tick becomes
// due a known time after the one before it was taken, waits in the same queue as everything else,
// and is taken as late as what came together with it. So the delay is measured once a tick, for
// nothing. It decides as CoDel (RFC 8289) does: a delay that comes and goes is a burst, and only
// one that stays for an interval is a queue that somebody waits in.
//
// Times are nanoseconds of one clock that does not go back; they may wrap.
#pragma once

#include <cstdint>

namespace lab {

/// A worker's. Nothing but arithmetic.
class DelayLimit {
 public:
  /// The delay stays above the limit for so long before anybody is refused.
  static constexpr std::uint64_t interval_ns = 100'000'000;
  /// Whoever has refused somebody so short a time ago does it again at the first tick that is late:
  /// the overload is the same, and another interval would let in as many again.
  static constexpr std::uint64_t memory_ns = 1'000'000'000;

  /// @param limit_ns the delay that is too much
  /// @param tick_ns from one tick to when the next one is due
  DelayLimit(std::uint64_t limit_ns, std::uint64_t tick_ns) noexcept
      : limit_ns_(limit_ns), tick_ns_(tick_ns) {}

  /// Begins anew: the first tick is due one tick from now.
  void start(std::uint64_t now_ns) noexcept {
    taken_ns_ = now_ns;
    delay_ns_ = 0;
    late_ = refuses_ = has_refused_ = false;
  }

  /// A tick was taken. @param now_ns when it was, by a clock that stands still within a turn
  void tick(std::uint64_t now_ns) noexcept {
    const std::uint64_t gap_ns = now_ns - taken_ns_;
    if (gap_ns == 0) return;  // the second one of a turn: when it was due is not known
    taken_ns_ = now_ns;
    // A lower bound: the tick before was put off again after it had come, and taken after that.
    delay_ns_ = gap_ns > tick_ns_ ? gap_ns - tick_ns_ : 0;
    if (delay_ns_ <= limit_ns_) {
      late_ = refuses_ = false;
      return;
    }
    if (!late_) late_since_ns_ = now_ns;
    late_ = true;
    const bool again = has_refused_ && now_ns - refused_ns_ < memory_ns;
    refuses_ = again || now_ns - late_since_ns_ >= interval_ns;
    if (!refuses_) return;
    has_refused_ = true;
    refused_ns_ = now_ns;
  }

  /// New clients are refused, until a tick is taken in time.
  bool refuses() const noexcept { return refuses_; }
  /// Of the latest tick.
  std::uint64_t delay_ns() const noexcept { return delay_ns_; }

 private:
  std::uint64_t limit_ns_;
  std::uint64_t tick_ns_;
  std::uint64_t taken_ns_ = 0;       ///< the latest tick
  std::uint64_t delay_ns_ = 0;       ///< of that one
  std::uint64_t late_since_ns_ = 0;  ///< while late_
  std::uint64_t refused_ns_ = 0;     ///< the latest tick at which it refused; has_refused_: any
  bool late_ = false;                ///< the latest tick was
  bool refuses_ = false;
  bool has_refused_ = false;
};

}  // namespace lab
