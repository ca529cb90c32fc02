// SipHash: a hash that nobody can aim without its key. Whoever may choose what is hashed (a client
// its address) can make an unkeyed hash put everything into one place.
//
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. Its authors propose 2-4
// rounds as a MAC; for tables 1-3 is usual.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lab {

/// 128 secret bits, of random_sip_key().
struct SipKey {
  std::uint64_t low = 0;   ///< the first eight bytes, the lowest first
  std::uint64_t high = 0;  ///< the other eight
};

namespace detail {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32) + v3;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  template <unsigned Rounds>
  void compress(std::uint64_t word) noexcept {
    v3 ^= word;
    for (unsigned i = 0; i < Rounds; ++i) round();
    v0 ^= word;
  }
};

/// Up to eight bytes, the lowest first, on any machine.
inline std::uint64_t sip_word(std::span<const std::byte> bytes) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    word |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return word;
}

}  // namespace detail

/// @tparam Compress rounds for each eight bytes
/// @tparam Finish rounds at the end
template <unsigned Compress = 1, unsigned Finish = 3>
std::uint64_t sip_hash(const SipKey& key, std::span<const std::byte> bytes) noexcept {
  detail::SipState state{0x736f6d6570736575U ^ key.low, 0x646f72616e646f6dU ^ key.high,
                         0x6c7967656e657261U ^ key.low, 0x7465646279746573U ^ key.high};
  const std::uint64_t length = bytes.size();
  for (; bytes.size() >= 8; bytes = bytes.subspan(8))
    state.compress<Compress>(detail::sip_word(bytes.first(8)));
  state.compress<Compress>(detail::sip_word(bytes) | length << 56);
  state.v2 ^= 0xff;
  for (unsigned i = 0; i < Finish; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace lab
