// CQEs that speak for several buffers: the account of a BufferRing, by hand and with the kernel.
#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

Cqe bundle_cqe(unsigned first, std::int32_t res) {
  return {.res = res, .flags = IORING_CQE_F_BUFFER | (first << IORING_CQE_BUFFER_SHIFT)};
}

// Buffers of a ring that is never enabled: CQEs are written by hand.
struct BundlesByHand {
  std::vector<BufferLease> take(unsigned first, std::int32_t res) {
    std::vector<BufferLease> all;
    buffers.leases(bundle_cqe(first, res),
                   [&](BufferLease lease) { all.push_back(std::move(lease)); });
    return all;
  }

  BufferLease one(unsigned id) { return buffers.lease(bundle_cqe(id, 1)); }

  // As a kernel does it to a buffer that it means to fill in part.
  void shorten(unsigned place, std::uint32_t length) {
    auto* entries = const_cast<io_uring_buf_ring*>(buffers.entries());
    reinterpret_cast<io_uring_buf*>(entries)[place].len = length;
  }

  unsigned provided() const { return buffers.entries()->tail; }

  Ring ring{{.sq_entries = 8, .disabled = true}};
  std::vector<std::byte> memory = std::vector<std::byte>(std::size_t{4} * 64);
  BufferRing buffers{ring, {.count = 4, .size = 64}, memory};
};

using Ids = std::vector<unsigned>;
using Sizes = std::vector<std::uint32_t>;

Ids ids(const std::vector<BufferLease>& leases) {
  Ids all;
  for (const BufferLease& lease : leases) all.push_back(static_cast<unsigned>(lease.id()));
  return all;
}

Sizes sizes(const std::vector<BufferLease>& leases) {
  Sizes all;
  for (const BufferLease& lease : leases) all.push_back(lease.size());
  return all;
}

TEST(Bundle, IsALeaseOfEachBuffer) {
  BundlesByHand hand;
  {
    const auto leases = hand.take(0, 64 + 64 + 22);
    EXPECT_EQ(ids(leases), (Ids{0, 1, 2}));
    EXPECT_EQ(sizes(leases), (Sizes{64, 64, 22}));
    EXPECT_EQ(leases[2].bytes().data(), hand.buffers.address(BufferId{2}));
    EXPECT_EQ(hand.buffers.free(), 1U) << "all that the CQE took count";
  }
  EXPECT_EQ(hand.buffers.free(), 4U);
}

TEST(Bundle, MayBeOneBuffer) {
  BundlesByHand hand;
  EXPECT_EQ(sizes(hand.take(0, 1)), Sizes{1});
  EXPECT_EQ(sizes(hand.take(1, 64)), Sizes{64}) << "full, and no empty one behind it";
  EXPECT_EQ(sizes(hand.take(2, 65)), (Sizes{64, 1}));
  EXPECT_EQ(hand.buffers.free(), 4U);
}

TEST(Bundle, FollowsTheOrderInWhichTheyWereProvided) {
  BundlesByHand hand;
  for (unsigned round = 0; round < 5; ++round) {
    std::vector<BufferLease> all;
    for (unsigned id = 0; id < 4; ++id) all.push_back(hand.one(id));
    for (const unsigned id : {3, 1, 0, 2}) all[id].reset();
    EXPECT_EQ(ids(hand.take(3, 2 * 64)), (Ids{3, 1}));
    // These two are behind the others now, past the end of the ring and its beginning.
    EXPECT_EQ(ids(hand.take(0, 4 * 64)), (Ids{0, 2, 3, 1}));
    EXPECT_EQ(hand.buffers.free(), 4U);
  }
}

TEST(Bundle, ABufferIsAsLongAsItsEntrySays) {
  BundlesByHand hand;
  hand.shorten(1, 10);
  const auto leases = hand.take(0, 64 + 10 + 64 + 5);
  EXPECT_EQ(sizes(leases), (Sizes{64, 10, 64, 5}));
}

TEST(Bundle, WhatWasShortenedIsWholeAgainWhenItComesBack) {
  BundlesByHand hand;
  hand.shorten(0, 10);
  EXPECT_EQ(sizes(hand.take(0, 4)), Sizes{4});
  EXPECT_EQ(sizes(hand.take(1, 4 * 64)), (Sizes{64, 64, 64, 64}));
}

TEST(Bundle, WithoutBytesTakesNone) {
  BundlesByHand hand;
  EXPECT_TRUE(hand.take(2, 0).empty());
  EXPECT_TRUE(hand.take(2, -ECANCELED).empty());
  EXPECT_EQ(hand.buffers.free(), 4U);
  EXPECT_EQ(hand.provided(), 4U) << "nothing was given back that had not gone";
}

TEST(Bundle, ItsBuffersMayGoHomeWhileItIsRead) {
  BundlesByHand hand;
  Ids seen;
  for (unsigned round = 0; round < 3; ++round) {
    hand.buffers.leases(bundle_cqe(0, 4 * 64), [&](BufferLease lease) {
      seen.push_back(static_cast<unsigned>(lease.id()));
    });
  }
  EXPECT_EQ(seen, (Ids{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}));
  EXPECT_EQ(hand.buffers.free(), 4U);
}

// The last CQE of an operation comes behind others, whose buffers may be back before.
TEST(Bundle, IsReadRightWhenLaterOnesWereReadBefore) {
  BundlesByHand hand;
  hand.one(2).reset();
  hand.one(3).reset();
  EXPECT_EQ(hand.provided(), 4U) << "their next places still say what the bundle has";
  EXPECT_EQ(hand.buffers.free(), 2U);
  {
    const auto leases = hand.take(0, 64 + 30);
    EXPECT_EQ(ids(leases), (Ids{0, 1}));
    EXPECT_EQ(sizes(leases), (Sizes{64, 30}));
    EXPECT_EQ(hand.buffers.free(), 2U) << "now those two are provided";
    EXPECT_EQ(hand.provided(), 6U);
  }
  EXPECT_EQ(hand.buffers.free(), 4U);
  EXPECT_EQ(hand.provided(), 8U);
}

TEST(BundleDeathTest, IsNotForIncrementalBuffers) {
  EXPECT_DEATH(
      {
        Ring ring;
        std::vector<std::byte> memory(256);
        BufferRing buffers(ring, {.count = 4, .size = 64, .incremental = true}, memory);
        buffers.leases(bundle_cqe(0, 10), [](BufferLease) {});
      },
      "LAB_ASSERT\\(!incremental_\\)|Invalid argument");
}

// --- with the kernel ---

struct ReceivingBundles : Connected {
  explicit ReceivingBundles(unsigned count = 64)
      : memory(std::size_t{count} * 64), buffers(ring, {.count = count, .size = 64}, memory) {}

  void start(std::uint32_t total) {
    receive.operation.start_bundles(ring, pair.slot, buffers, total);
  }

  // What it brought until it ended, and how many CQEs had data.
  std::vector<BufferLease> leases_until_end() {
    run_until_disarmed(ring, receive);
    std::vector<BufferLease> all;
    for (; taken < receive.cqes.size(); ++taken) {
      const Cqe& cqe = receive.cqes[taken];
      if (cqe.res > 0) ++completions;
      if (!cqe.has_buffer()) continue;
      buffers.leases(cqe, [&](BufferLease lease) { all.push_back(std::move(lease)); });
    }
    return all;
  }

  bool refused() const { return receive.cqes.back().res == -EINVAL; }

  std::vector<std::byte> memory;
  BufferRing buffers;
  Recorder<RecvMultishot> receive;
  std::size_t taken = 0;
  unsigned completions = 0;
};

std::vector<std::byte> joined(const std::vector<BufferLease>& leases) {
  std::vector<std::byte> all;
  for (const BufferLease& lease : leases) {
    const auto bytes = copy_of(lease.bytes());
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

TEST(Bundle, OneCompletionBringsManyBuffers) {
  ReceivingBundles test;
  send_all(test.pair.client, pattern(32 * 64));
  test.start(32 * 64);
  const auto leases = test.leases_until_end();
  if (test.refused()) GTEST_SKIP() << "bundles with a total came with Linux 6.17";
  EXPECT_EQ(joined(leases), pattern(32 * 64));
  EXPECT_EQ(leases.size(), 32U);
  EXPECT_EQ(test.buffers.free(), 32U);
  EXPECT_LT(test.completions, 32U);
}

TEST(Bundle, TheEndTakesNoBuffer) {
  ReceivingBundles test;
  send_all(test.pair.client, pattern(128));
  ::shutdown(test.pair.client.get(), SHUT_WR);
  test.start(16 * 64);
  EXPECT_EQ(joined(test.leases_until_end()), pattern(128));
  if (test.refused()) GTEST_SKIP() << "bundles with a total came with Linux 6.17";
  EXPECT_EQ(test.receive.cqes.back().res, 0);
  std::uint16_t head = 0;
  ASSERT_EQ(io_uring_buf_ring_head(test.ring.raw(), test.buffers.group(), &head), 0);
  EXPECT_EQ(head, 2U) << "the kernel's account is ours";
  EXPECT_EQ(test.buffers.free(), 64U);
}

// Eight buffers, which come home in another order than they went: every place of the ring, every
// length, and now and then too few.
TEST(Bundle, NoByteIsLostInManyRounds) {
  ReceivingBundles test(8);
  std::size_t position = 0;
  for (std::size_t round = 0; round < 300; ++round) {
    const std::size_t count = 1 + round * 37 % 700;
    send_all(test.pair.client, pattern(count, position));
    std::vector<std::byte> received;
    while (received.size() < count) {
      test.start(static_cast<std::uint32_t>(count - received.size()));
      auto leases = test.leases_until_end();
      if (test.refused()) GTEST_SKIP() << "bundles with a total came with Linux 6.17";
      const int res = test.receive.cqes.back().res;
      ASSERT_TRUE(res > 0 || res == -ENOBUFS) << res;
      const auto bytes = joined(leases);
      received.insert(received.end(), bytes.begin(), bytes.end());
      std::rotate(leases.begin(), leases.begin() + static_cast<long>(round % leases.size()),
                  leases.end());
    }
    ASSERT_EQ(received, pattern(count, position)) << "round " << round;
    ASSERT_EQ(test.buffers.free(), 8U);
    position += count;
  }
}

}  // namespace
}  // namespace lab
