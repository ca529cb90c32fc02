// What --max-delay-ms must do, seen from outside: whether the server is behind follows from when it
// is given its ticks.
#pragma once

#include <cstdint>

#include "06-server/lib/protocol/protocol.hpp"
#include "tests/fake_kernel/clock.hpp"

namespace lab::fake {

class DelayOracle {
 public:
  /// @param limit_ms 0: there is none
  DelayOracle(std::uint32_t limit_ms, std::uint64_t now_ns) noexcept
      : limit_ns_(limit_ms * millisecond), tick_at_(now_ns) {}

  /// A turn of the server begins, in which it takes a tick.
  void takes_tick(std::uint64_t now_ns) noexcept {
    if (limit_ns_ == 0) return;
    const bool late = now_ns - tick_at_ > period_ns + limit_ns_;
    tick_at_ = now_ns;
    if (!late) {
      late_since_ = 0;
      if (refuses_since_ != 0) refused_until_ = now_ns;
      refuses_since_ = 0;
      return;
    }
    if (late_since_ == 0) late_since_ = now_ns;
    const bool stays = now_ns - late_since_ >= patience_ns;
    const bool again = refused_at_ != 0 && now_ns - refused_at_ < memory_ns;
    if (!stays && !again) return;
    refused_at_ = now_ns;
    if (refuses_since_ == 0) refuses_since_ = now_ns;
  }

  /// Whoever came then may not have been let in.
  bool surely_refuses(std::uint64_t came_at) const noexcept {
    return refuses_since_ != 0 && came_at > refuses_since_;
  }
  /// Whoever came then may have been refused: what a turn brings is not ordered.
  bool may_refuse(std::uint64_t came_at) const noexcept {
    return refuses_since_ != 0 || refused_until_ >= came_at;
  }

 private:
  static constexpr std::uint64_t period_ns = protocol_tick_ms * millisecond;
  static constexpr std::uint64_t patience_ns = 100 * millisecond;
  static constexpr std::uint64_t memory_ns = 1000 * millisecond;

  std::uint64_t limit_ns_;
  std::uint64_t tick_at_;            ///< when it took the latest
  std::uint64_t late_since_ = 0;     ///< the first tick of those that were late without a break
  std::uint64_t refused_at_ = 0;     ///< the latest tick that said so
  std::uint64_t refuses_since_ = 0;  ///< 0: it does not
  std::uint64_t refused_until_ = 0;  ///< and when it last did not any more
};

}  // namespace lab::fake
