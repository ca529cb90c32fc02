#include "04-advanced/lib/frame_pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>

namespace lab {
namespace {

template <std::size_t Count>
struct Memory {
  alignas(FramePool::alignment) std::array<std::byte, FramePool::bytes_for(Count, 100)> bytes{};
};

TEST(FramePool, GivesEveryFrameOnceAndThenNone) {
  Memory<3> memory;
  FramePool pool(memory.bytes, 100);
  EXPECT_EQ(pool.size(), 3U);
  std::set<void*> frames;
  for (int round = 0; round < 3; ++round) {
    void* frame = pool.take(100);
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame) % FramePool::alignment, 0U);
    std::memset(frame, 0xab, 100);
    frames.insert(frame);
  }
  EXPECT_EQ(frames.size(), 3U);
  EXPECT_EQ(pool.used(), 3U);
  EXPECT_EQ(pool.take(1), nullptr);
  EXPECT_EQ(pool.refused(), 1U);
  EXPECT_EQ(pool.largest(), 100U);
  for (void* frame : frames) FramePool::give_back(frame);
  EXPECT_EQ(pool.used(), 0U);
  EXPECT_EQ(pool.free(), 3U);
}

TEST(FramePool, AFrameThatComesHomeIsTheNextOneOut) {
  Memory<2> memory;
  FramePool pool(memory.bytes, 100);
  void* first = pool.take(8);
  FramePool::give_back(first);
  EXPECT_EQ(pool.take(8), first);
  FramePool::give_back(first);
}

TEST(FramePool, EveryFrameFindsItsOwnPool) {
  Memory<1> one_memory;
  Memory<1> other_memory;
  FramePool one(one_memory.bytes, 100);
  FramePool other(other_memory.bytes, 100);
  void* from_one = one.take(8);
  void* from_other = other.take(8);
  FramePool::give_back(from_one);
  EXPECT_EQ(one.used(), 0U);
  EXPECT_EQ(other.used(), 1U);
  FramePool::give_back(from_other);
}

TEST(FramePoolDeath, AFrameThatCanNeverFitIsABug) {
  Memory<1> memory;
  FramePool pool(memory.bytes, 100);
  EXPECT_DEATH(pool.take(4096), "bytes <= frame_bytes_");
}

TEST(FramePoolDeath, ThePoolOutlivesItsFrames) {
  EXPECT_DEATH(
      {
        Memory<1> memory;
        FramePool pool(memory.bytes, 100);
        pool.take(8);
      },
      "used\\(\\) == 0");
}

}  // namespace
}  // namespace lab
