#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "05-performance/ringload/pattern_block.hpp"

namespace lab {
namespace {

// What the other end would have received: the stream of a connection, piece by piece.
std::vector<std::byte> stream(const PatternBlock& block, std::size_t connection, std::size_t size,
                              std::size_t piece) {
  std::vector<std::byte> bytes;
  std::size_t place = PatternBlock::first_place(connection);
  while (bytes.size() < size) {
    const auto window = block.window(place, std::min(piece, size - bytes.size()));
    bytes.insert(bytes.end(), window.begin(), window.end());
    place = PatternBlock::advance(place, window.size());
  }
  return bytes;
}

TEST(PatternBlock, PiecesOfAnySizeMakeTheSameStream) {
  const PatternBlock block(65536);
  const auto whole = stream(block, 3, 200'000, 65536);
  for (const std::size_t piece : {1UL, 63UL, 4096UL, PatternBlock::period, 50'000UL}) {
    EXPECT_EQ(stream(block, 3, 200'000, piece), whole) << piece;
  }
}

TEST(PatternBlock, MatchesOnlyWhatIsDue) {
  const PatternBlock block(4096);
  const std::size_t place = PatternBlock::first_place(7);
  auto bytes = stream(block, 7, 64, 64);
  EXPECT_TRUE(block.matches(place, bytes));
  EXPECT_FALSE(block.matches(place + 1, bytes));
  bytes[63] ^= std::byte{1};
  EXPECT_FALSE(block.matches(place, bytes));
}

// A buffer that is lost, repeated or swapped moves the stream by a multiple of its size.
TEST(PatternBlock, AMovedStreamDoesNotMatch) {
  const PatternBlock block(65536);
  for (const std::size_t shift : {1UL, 64UL, 1024UL, 4096UL, 16384UL, 65536UL, 1UL << 20}) {
    const std::size_t place = PatternBlock::first_place(0);
    const auto moved = block.window(PatternBlock::advance(place, shift), 64);
    EXPECT_FALSE(block.matches(place, moved)) << shift;
  }
}

TEST(PatternBlock, ConnectionsDiffer) {
  const PatternBlock block(4096);
  const auto first = stream(block, 0, 16, 16);
  for (std::size_t connection = 1; connection < 10'000; ++connection) {
    EXPECT_NE(stream(block, connection, 16, 16), first) << connection;
  }
}

}  // namespace
}  // namespace lab
