// What a connection sends: byte n is a function of the run's seed, the connection's number and n,
// so a byte that is lost, repeated, moved or another connection's cannot pass for the one that is
// due.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace lab {

// The bytes of one connection's stream, computed and never stored. Copies are equal.
class Pattern {
 public:
  Pattern(std::uint64_t seed, std::uint64_t connection)
      : seed_(seed), connection_(connection), key_(mix(seed ^ mix(connection + 1))) {}

  // Writes bytes [position, position + out.size()) of the stream.
  void fill(std::uint64_t position, std::span<std::byte> out) const {
    while (!out.empty()) {
      const auto word = word_at(position / word_size);
      const std::size_t skip = position % word_size;
      const std::size_t count = std::min(word_size - skip, out.size());
      std::memcpy(out.data(), word.data() + skip, count);
      out = out.subspan(count);
      position += count;
    }
  }

  // The stream of another connection of the same run.
  [[nodiscard]] Pattern of(std::uint64_t connection) const { return {seed_, connection}; }
  [[nodiscard]] std::uint64_t connection() const { return connection_; }

  // SplitMix64's finaliser: every bit of the input reaches every bit of the output.
  [[nodiscard]] static constexpr std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
  }

 private:
  static constexpr std::size_t word_size = sizeof(std::uint64_t);

  [[nodiscard]] std::array<std::byte, word_size> word_at(std::uint64_t index) const {
    std::array<std::byte, word_size> bytes;
    const std::uint64_t word = mix(key_ + index * 0x9e3779b97f4a7c15U);
    std::memcpy(bytes.data(), &word, word_size);
    return bytes;
  }

  std::uint64_t seed_;
  std::uint64_t connection_;
  std::uint64_t key_;
};

// A small seeded generator for sizes and choices; the same seed gives the same run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(Pattern::mix(seed)) {}

  // A number in [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    state_ = Pattern::mix(state_);
    return low + state_ % (high - low + 1);
  }

  // A size in [1, high] whose logarithm is evenly spread, so that 1 and 2 are as likely as
  // thousands.
  std::size_t size(std::size_t high) {
    std::size_t bits = 0;
    while ((high >> bits) > 1) ++bits;
    const std::uint64_t limit = std::uint64_t{1} << between(0, bits);
    return static_cast<std::size_t>(std::min<std::uint64_t>(between(1, limit), high));
  }

 private:
  std::uint64_t state_;
};

}  // namespace lab
