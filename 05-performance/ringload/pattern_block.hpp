// What a connection sends, so that a byte that is lost, repeated, moved or another connection's
// cannot pass for the one that is due: all connections walk round one block of random bytes, each
// from a place of its own. Sending and checking are a pointer and a memcmp; no byte is computed in
// the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace lab {

/// A block of random bytes that repeats. Lifetime: outlives every send that points into it.
class PatternBlock {
 public:
  /// A prime, so that no buffer size or message size is a multiple of it, and small enough to stay
  /// in the cache: what the generator costs is not to be what is measured.
  static constexpr std::size_t period = 16381;

  /// @param window_max the longest piece that is asked for at once
  explicit PatternBlock(std::size_t window_max) : bytes_(period + window_max) {
    std::uint64_t state = 0x9e3779b97f4a7c15U;
    for (std::size_t place = 0; place < period; ++place) {
      // Knuth's 64-bit linear congruential generator; its top byte has the longest period.
      state = state * 6364136223846793005U + 1442695040888963407U;
      bytes_[place] = static_cast<std::byte>(state >> 56);
    }
    for (std::size_t place = period; place < bytes_.size(); ++place) {
      bytes_[place] = bytes_[place - period];
    }
  }

  /// Where the stream of a connection begins.
  static std::size_t first_place(std::size_t connection) noexcept {
    return connection * 7919 % period;
  }
  static std::size_t advance(std::size_t place, std::size_t count) noexcept {
    place += count;
    return place < period ? place : place % period;
  }

  /// REQUIRES place < period and count <= window_max.
  std::span<const std::byte> window(std::size_t place, std::size_t count) const noexcept {
    return {bytes_.data() + place, count};
  }

  /// True when `bytes` are what stands at `place`.
  bool matches(std::size_t place, std::span<const std::byte> bytes) const noexcept {
    return std::memcmp(bytes_.data() + place, bytes.data(), bytes.size()) == 0;
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace lab
