#include "05-performance/lib/ring_preset.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace lab {
namespace {

constexpr unsigned most = 0xFFFFFFFF;

static_assert(!RingPreset::server(256).iopoll && !RingPreset::file_io({}).iopoll);
static_assert(!RingPreset::server(256).sqpoll && !RingPreset::load_generator(64).sqpoll);

TEST(RingPreset, AServersCqHoldsTwoCqesABufferAndABacklog) {
  for (const unsigned buffers : {1U, 256U, 2048U, 30000U}) {
    EXPECT_GE(RingPreset::server(buffers, 512).cq_entries, 2 * buffers + 512) << buffers;
    EXPECT_GT(RingPreset::server(buffers, 4096).cq_entries,
              RingPreset::server(buffers, 512).cq_entries);
  }
  EXPECT_EQ(RingPreset::server(2048).cq_entries, 2U * 2048 + 4096 + 64);
}

TEST(RingPreset, ALoadGeneratorQueuesATurnAtOnceUpToALimit) {
  EXPECT_EQ(RingPreset::load_generator(1).sq_entries, 64U);
  EXPECT_EQ(RingPreset::load_generator(128).sq_entries, 128U);
  EXPECT_EQ(RingPreset::load_generator(129).sq_entries, 256U);
  EXPECT_EQ(RingPreset::load_generator(1'000'000).sq_entries, 8192U);
  EXPECT_EQ(RingPreset::load_generator(128).cq_entries, 512U);
}

TEST(RingPreset, AFileProgramsCqHoldsTwiceTheDepth) {
  for (unsigned depth = 1; depth <= 1024; ++depth) {
    const RingOptions whole = RingPreset::file_io({.depth = depth});
    EXPECT_EQ(whole.sq_entries, std::bit_ceil(depth)) << depth;
    EXPECT_EQ(whole.cq_entries, std::bit_ceil(2 * depth)) << depth;
    const RingOptions parts = RingPreset::file_io({.depth = depth, .submit = 8});
    EXPECT_EQ(parts.sq_entries, std::bit_ceil(std::min(depth, 8U))) << depth;
    EXPECT_EQ(parts.cq_entries, whole.cq_entries) << depth;
  }
}

TEST(RingPreset, PolledIsTheSameWithIopoll) {
  const RingOptions plain = RingPreset::file_io({.depth = 100, .submit = 10});
  const RingOptions polled = RingPreset::polled_file_io({.depth = 100, .submit = 10});
  EXPECT_TRUE(polled.iopoll);
  EXPECT_EQ(polled.sq_entries, plain.sq_entries);
  EXPECT_EQ(polled.cq_entries, plain.cq_entries);
}

// What it asks for is what the kernel makes, rounded up to powers of two, also for absurd loads.
TEST(RingPreset, TheKernelGrantsEveryOne) {
  for (const RingOptions& options :
       {RingPreset::server(1), RingPreset::server(2048), RingPreset::server(32768),
        RingPreset::server(most, most), RingPreset::load_generator(0),
        RingPreset::load_generator(~std::uint64_t{0}), RingPreset::file_io({.depth = 0}),
        RingPreset::file_io({.depth = 1}), RingPreset::file_io({.depth = most}),
        RingPreset::file_io({.depth = most, .submit = 1}),
        RingPreset::polled_file_io({.depth = 32})}) {
    Ring ring(options);
    EXPECT_EQ(ring.raw()->sq.ring_entries, std::bit_ceil(options.sq_entries));
    EXPECT_EQ(ring.raw()->cq.ring_entries, std::bit_ceil(options.cq_entries));
  }
}

}  // namespace
}  // namespace lab
