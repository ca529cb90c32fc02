// The parts of ringio that need no ring: content of blocks, who has which block, the course of a
// run, and the verdict beside fio.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <vector>

#include "05-performance/ringio/block_map.hpp"
#include "05-performance/ringio/block_stamp.hpp"
#include "05-performance/ringio/comparison.hpp"
#include "05-performance/ringio/timeline.hpp"
#include "05-performance/ringio/xorshift.hpp"

namespace lab {
namespace {

constexpr BlockStamp stamp{.seed = 7, .file = 1, .offset = 40960, .generation = 3};

std::vector<std::byte> block_with(const BlockStamp& what, std::size_t size = 4096) {
  std::vector<std::byte> block(size);
  fill_block(block, what);
  return block;
}

TEST(BlockStamp, IsRightWhereItWasPut) {
  for (const std::size_t size : {512U, 520U, 1000U, 4096U, 65536U}) {
    EXPECT_EQ(check_block(block_with(stamp, size), stamp, true), BlockFault::none) << size;
  }
}

// Any byte: of the stamp, of the content, the last one.
TEST(BlockStamp, SeesEveryChangedByte) {
  const std::vector<std::byte> block = block_with(stamp, 512);
  for (std::size_t place = 0; place < block.size(); ++place) {
    std::vector<std::byte> damaged = block;
    damaged[place] ^= std::byte{1};
    EXPECT_NE(check_block(damaged, stamp, true), BlockFault::none) << place;
  }
}

TEST(BlockStamp, SeesTwoWordsThatChangedPlaces) {
  std::vector<std::byte> block = block_with(stamp, 512);
  std::swap_ranges(block.begin() + 64, block.begin() + 72, block.begin() + 96);
  EXPECT_EQ(check_block(block, stamp, true), BlockFault::checksum);
}

TEST(BlockStamp, SaysWhatIsWrong) {
  const std::vector<std::byte> zeros(4096);
  EXPECT_EQ(check_block(zeros, stamp, true), BlockFault::no_stamp);
  BlockStamp other = stamp;
  other.offset += 4096;
  EXPECT_EQ(check_block(block_with(other), stamp, true), BlockFault::misplaced);
  other = stamp;
  other.file = 2;
  EXPECT_EQ(check_block(block_with(other), stamp, true), BlockFault::misplaced);
  other = stamp;
  other.seed = 8;
  EXPECT_EQ(check_block(block_with(other), stamp, true), BlockFault::wrong_seed);
  other = stamp;
  other.generation = 2;
  EXPECT_EQ(check_block(block_with(other), stamp, true), BlockFault::stale);
  EXPECT_EQ(check_block(block_with(other), stamp, false), BlockFault::none);
}

TEST(BlockMap, JobsDivideEveryBlockAmongThem) {
  std::set<std::pair<unsigned, std::uint64_t>> seen;
  for (unsigned job = 0; job < 3; ++job) {
    BlockMap map({.files = 2, .blocks = 11, .block_size = 512, .jobs = 3, .job = job});
    for (std::uint64_t count = 0; count < map.count(); ++count) {
      const BlockPlace place = map.sequential();
      EXPECT_TRUE(seen.emplace(place.file, place.offset).second) << place.offset;
      EXPECT_LT(place.offset, 11 * 512U);
    }
    EXPECT_EQ(map.sequential().index, 0U);
  }
  EXPECT_EQ(seen.size(), 22U);
}

TEST(BlockMap, RandomPlacesReachAllBlocksAboutEquallyOften) {
  BlockMap map({.files = 1, .blocks = 16, .block_size = 4096});
  Xorshift numbers(1);
  std::array<int, 16> hits{};
  for (int count = 0; count < 16000; ++count) ++hits[map.random(numbers).index];
  // Each is binomial with mean 1000 and deviation 31: this is 8 of them.
  EXPECT_GT(*std::ranges::min_element(hits), 750);
  EXPECT_LT(*std::ranges::max_element(hits), 1250);
}

TEST(BlockMap, GivesABlockToOneAtATime) {
  BlockMap map({.files = 1, .blocks = 4, .block_size = 4096, .track = true});
  Xorshift numbers(1);
  std::set<std::uint64_t> taken;
  for (int count = 0; count < 3; ++count) {
    const BlockPlace place = map.random(numbers);
    EXPECT_TRUE(taken.insert(place.index).second);
    map.begin(place);
  }
  const BlockPlace last = map.sequential();
  EXPECT_FALSE(taken.contains(last.index));
  map.set_generation(last, 5);
  map.begin(last);
  EXPECT_EQ(map.generation(last), 5U);
  map.set_generation(last, 6);
  map.end(last);
  EXPECT_EQ(map.generation(last), 6U);
  EXPECT_EQ(map.random(numbers).index, last.index);
}

TEST(Timeline, CountsPerIntervalAndKeepsTheWholeRun) {
  Timeline timeline(0.5);
  EXPECT_DOUBLE_EQ(timeline.due_s(), 0.5);
  timeline.add(100);
  timeline.add(150);
  EXPECT_DOUBLE_EQ(timeline.per_second(0), 200);
  EXPECT_DOUBLE_EQ(timeline.per_second(1), 100);
  EXPECT_DOUBLE_EQ(timeline.due_s(), 1.5);

  Timeline full(1);
  for (std::uint64_t second = 1; second <= 1024; ++second) full.add(second * 10);
  EXPECT_EQ(full.size(), 512U);
  EXPECT_DOUBLE_EQ(full.interval_s(), 2);
  EXPECT_DOUBLE_EQ(full.due_s(), 1026);
  for (std::size_t place = 0; place < full.size(); ++place) {
    EXPECT_DOUBLE_EQ(full.per_second(place), 10) << place;
  }
}

IoComparison comparison_of(double iops, double cpu) {
  IoComparison comparison{.machine = "m", .fio_version = "f", .settings = "s"};
  comparison.rows.push_back({.depth = 1});
  for (unsigned round = 0; round < 5; ++round) {
    const double noise = 1 + 0.001 * round;
    comparison.pairs.push_back(
        {.round = round,
         .fio = {.iops = 1000, .cpu_us = 10, .own_us = 10},
         .ringio = {.iops = 1000 * iops * noise, .cpu_us = 10 * cpu, .own_us = 10 * cpu}});
  }
  return comparison;
}

TEST(IoComparison, JudgesByTheTargets) {
  EXPECT_TRUE(comparison_of(1.0, 0.9).ok());
  EXPECT_FALSE(comparison_of(1.0, 0.91).ok());
  EXPECT_FALSE(comparison_of(0.9, 0.5).ok());
  // Above 0.97, but surely below 1.
  EXPECT_FALSE(comparison_of(0.98, 0.5).ok());
  EXPECT_NE(to_text(comparison_of(0.98, 0.5)).find("IOPS BELOW, CPU ok"), std::string::npos);
}

}  // namespace
}  // namespace lab
