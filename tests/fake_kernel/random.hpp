// The only source of chance in a seed: the same seed gives the same run.
#pragma once

#include <cstdint>

namespace lab::fake {

/// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }

  /// 0 … count - 1. REQUIRES count > 0.
  unsigned below(std::uint64_t count) noexcept { return static_cast<unsigned>(next() % count); }
  /// Both ends included.
  unsigned between(std::uint64_t low, std::uint64_t high) noexcept {
    return static_cast<unsigned>(low + next() % (high - low + 1));
  }
  bool chance(unsigned per_mille) noexcept { return below(1000) < per_mille; }

 private:
  std::uint64_t state_;
};

/// Byte n of the stream with this key. Depends on the position, so that a byte that is lost,
/// doubled or out of order shows.
inline unsigned char content(std::uint64_t key, std::uint64_t position) noexcept {
  std::uint64_t mixed = (key + position) * 0x9e3779b97f4a7c15U;
  mixed = (mixed ^ (mixed >> 32)) * 0xbf58476d1ce4e5b9U;
  return static_cast<unsigned char>(mixed >> 56);
}

}  // namespace lab::fake
