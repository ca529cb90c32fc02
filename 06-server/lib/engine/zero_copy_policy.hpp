// Decides, send by send, whether zero copy is worth asking for: the kernel's own reports are the
// judge.
#pragma once

#include <bit>
#include <cstdint>

namespace lab {

/// What the operator wants.
enum class ZeroCopyMode : std::uint8_t {
  automatic,  ///< as the reports say
  always,     ///< for every send of enough bytes
  never       ///< plain sends alone
};

/// What comes of that here.
/// @param can_send the kernel has zero-copy sends
/// @param reports_tell it says which of them it copied, and that depends on the peer: over loopback
/// it always copies
constexpr ZeroCopyMode possible(ZeroCopyMode wanted, bool can_send, bool reports_tell) noexcept {
  const bool can = can_send && (wanted == ZeroCopyMode::always || reports_tell);
  return can ? wanted : ZeroCopyMode::never;
}

/// The verdict of one worker about its peers.
///
/// In automatic mode it is off after 6 copied of the last 8 reports; then one send in 1024 is a
/// probe, whose report counts like any other, so that it comes back when copying ends.
class ZeroCopyPolicy {
 public:
  /// @param threshold_bytes smaller sends are plain
  ZeroCopyPolicy(ZeroCopyMode mode, std::uint32_t threshold_bytes) noexcept
      : mode_(mode), threshold_bytes_(threshold_bytes) {}

  /// True when a send of `bytes` should be zero-copy.
  bool wanted(std::uint32_t bytes) noexcept {
    if (mode_ == ZeroCopyMode::never || bytes < threshold_bytes_) return false;
    if (mode_ == ZeroCopyMode::always || !off()) return true;
    return ++since_probe_ % probe_interval == 0;
  }

  /// Bytes from which on a send may be zero-copy; the largest number: none now.
  std::uint32_t smallest() const noexcept {
    const bool may = mode_ == ZeroCopyMode::always || (mode_ == ZeroCopyMode::automatic && !off());
    return may ? threshold_bytes_ : ~std::uint32_t{0};
  }

  /// A notification came back with its usage report.
  void report(bool copied) noexcept {
    reports_ = static_cast<std::uint8_t>((reports_ << 1) | (copied ? 1 : 0));
  }

  /// True when the reports say that the kernel copies.
  bool off() const noexcept { return std::popcount(reports_) >= copied_max; }

 private:
  static constexpr int copied_max = 6;
  static constexpr std::uint32_t probe_interval = 1024;

  ZeroCopyMode mode_;
  std::uint8_t reports_ = 0;  ///< the last eight, 1 = copied
  std::uint32_t threshold_bytes_;
  std::uint32_t since_probe_ = 0;
};

}  // namespace lab
