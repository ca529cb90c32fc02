// Against the vector of the paper and against OpenSSL, which has the same function as a MAC.
#include "06-server/lib/limits/siphash.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <random>
#include <vector>

namespace lab {
namespace {

std::vector<std::byte> counting(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

constexpr SipKey counting_key{0x0706050403020100, 0x0f0e0d0c0b0a0908};

// Appendix A of the paper: 2-4, key 00 .. 0f, fifteen bytes 00 .. 0e.
TEST(SipHash, ThePublishedVector) {
  EXPECT_EQ((sip_hash<2, 4>(counting_key, counting(15))), 0xa129ca6149be45e5U);
}

std::uint64_t by_openssl(unsigned compress, unsigned finish, const SipKey& key,
                         const std::vector<std::byte>& bytes) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(
      EVP_MAC_fetch(nullptr, "SIPHASH", nullptr), &EVP_MAC_free);
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(
      EVP_MAC_CTX_new(mac.get()), &EVP_MAC_CTX_free);
  std::size_t size = 8;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                   OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &compress),
                                   OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &finish),
                                   OSSL_PARAM_construct_end()};
  std::array<unsigned char, 16> key_bytes;
  for (unsigned i = 0; i < 16; ++i)
    key_bytes[i] = static_cast<unsigned char>((i < 8 ? key.low : key.high) >> (8 * (i % 8)));
  EXPECT_EQ(EVP_MAC_init(context.get(), key_bytes.data(), key_bytes.size(), parameters), 1);
  EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::array<unsigned char, 8> out{};
  EXPECT_EQ(EVP_MAC_final(context.get(), out.data(), &size, out.size()), 1);
  std::uint64_t hash = 0;
  for (unsigned i = 0; i < 8; ++i) hash |= std::uint64_t{out[i]} << (8 * i);
  return hash;
}

TEST(SipHash, AsOpenSslAtEveryLength) {
  for (std::size_t size = 0; size < 64; ++size) {
    const auto bytes = counting(size);
    EXPECT_EQ((sip_hash<2, 4>(counting_key, bytes)), by_openssl(2, 4, counting_key, bytes)) << size;
    EXPECT_EQ(sip_hash(counting_key, bytes), by_openssl(1, 3, counting_key, bytes)) << size;
  }
}

TEST(SipHash, AsOpenSslWithAnyKey) {
  std::mt19937_64 random(1);
  for (unsigned round = 0; round < 200; ++round) {
    const SipKey key{random(), random()};
    std::vector<std::byte> bytes(random() % 40);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    EXPECT_EQ(sip_hash(key, bytes), by_openssl(1, 3, key, bytes));
  }
}

}  // namespace
}  // namespace lab
