#include "05-performance/ringload/silence.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

LoadOptions messages_of(std::size_t size) {
  LoadOptions options;
  options.size = size;
  options.patience_s = 10;
  return options;
}

TEST(Silence, BeginsWithTheFirstLook) {
  Silence silence(messages_of(64));
  EXPECT_FALSE(silence.too_long(100 * second, 0, true));
  EXPECT_FALSE(silence.too_long(109 * second, 0, true));
  EXPECT_TRUE(silence.too_long(110 * second, 0, true));
}

TEST(Silence, EndsWithAMessage) {
  Silence silence(messages_of(64));
  silence.too_long(second, 0, true);
  EXPECT_FALSE(silence.too_long(10 * second, 64, true));
  EXPECT_FALSE(silence.too_long(19 * second, 64, true));
  EXPECT_TRUE(silence.too_long(20 * second, 64, true));
}

TEST(Silence, DoesNotEndWithAByte) {
  Silence silence(messages_of(64));
  silence.too_long(second, 0, true);
  EXPECT_FALSE(silence.too_long(10 * second, 63, true));
  EXPECT_TRUE(silence.too_long(11 * second, 63, true));
}

TEST(Silence, OfALargeMessageEndsWithAGoodPartOfIt) {
  Silence silence(messages_of(std::size_t{1} << 30));
  silence.too_long(second, 0, true);
  EXPECT_FALSE(silence.too_long(10 * second, 65536, true));
  EXPECT_FALSE(silence.too_long(19 * second, 65536, true));
}

TEST(Silence, IsNoneWhereNothingIsAwaited) {
  Silence silence(messages_of(64));
  silence.too_long(second, 0, true);
  EXPECT_FALSE(silence.too_long(100 * second, 0, false));
  EXPECT_FALSE(silence.too_long(109 * second, 0, true));
}

}  // namespace
}  // namespace lab
