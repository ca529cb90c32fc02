// Random numbers for places and content: a few instructions each, the same for the same seed.
#pragma once

#include <cstdint>

namespace lab {

/// xorshift64*. Source: Sebastiano Vigna, An experimental exploration of Marsaglia's xorshift
/// generators, scrambled (2016).
class Xorshift {
 public:
  explicit Xorshift(std::uint64_t seed) noexcept : state_(spread(seed)) {}

  std::uint64_t next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1dU;
  }

  /// 0 to limit - 1. The bias of the remainder is below limit / 2^64.
  std::uint64_t below(std::uint64_t limit) noexcept { return next() % limit; }

  /// Seeds that differ in one bit give numbers that differ in half of theirs, and none gives zero,
  /// where the generator would stay for ever (splitmix64's finisher).
  static std::uint64_t spread(std::uint64_t value) noexcept {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    value ^= value >> 31;
    return value != 0 ? value : 1;
  }

 private:
  std::uint64_t state_;
};

}  // namespace lab
