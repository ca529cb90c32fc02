#include "03-network/lib/buffer_ring.hpp"

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/poison.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

static_assert(!std::is_copy_constructible_v<BufferLease>);
static_assert(std::is_nothrow_move_constructible_v<BufferLease>);
static_assert(sizeof(BufferLease) <= 24, "a queue holds one per node");

Cqe buffer_cqe(unsigned id, std::int32_t res, unsigned flags = 0) {
  return {.res = res, .flags = flags | IORING_CQE_F_BUFFER | (id << IORING_CQE_BUFFER_SHIFT)};
}

// Buffers of a ring that is never enabled: CQEs are written by hand.
struct ByHand {
  explicit ByHand(unsigned count = 4, unsigned size = 64)
      : memory(std::size_t{count} * size), buffers(ring, {.count = count, .size = size}, memory) {}

  Ring ring{{.sq_entries = 8, .disabled = true}};
  std::vector<std::byte> memory;
  BufferRing buffers;
};

// A connection that receives into a few small buffers.
struct Receiving : Connected {
  explicit Receiving(const BufferRingOptions& options)
      : memory(std::size_t{options.count} * options.size), buffers(ring, options, memory) {}

  // Waits for one more CQE.
  Cqe next() {
    run_until_count(ring, receive, taken + 1);
    return receive.cqes[taken++];
  }

  // Ends a multishot receive, so that the ring may go.
  void stop() {
    if (!receive.operation.armed()) return;
    Recorder<Cancel> cancel;
    cancel.operation.start(ring, receive.operation);
    run_until(ring, [&] { return ring.armed_count() == 0; });
  }

  std::vector<std::byte> memory;
  BufferRing buffers;
  Recorder<RecvMultishot> receive;
  std::size_t taken = 0;
};

TEST(BufferRing, BeginsWithEveryBufferFree) {
  ByHand hand(8, 128);
  EXPECT_EQ(hand.buffers.count(), 8U);
  EXPECT_EQ(hand.buffers.size(), 128U);
  EXPECT_EQ(hand.buffers.free(), 8U);
  EXPECT_EQ(hand.buffers.group(), 1U);
  EXPECT_EQ(hand.buffers.address(BufferId{0}), hand.memory.data());
  EXPECT_EQ(hand.buffers.address(BufferId{7}), hand.memory.data() + 7 * 128);
}

TEST(BufferRing, ALeaseTakesABufferAndItsDeathGivesItBack) {
  ByHand hand;
  {
    const BufferLease lease = hand.buffers.lease(buffer_cqe(0, 10));
    EXPECT_TRUE(lease);
    EXPECT_EQ(lease.id(), BufferId{0});
    EXPECT_EQ(lease.size(), 10U);
    EXPECT_EQ(lease.bytes().data(), hand.buffers.address(BufferId{0}));
    EXPECT_EQ(lease.bytes().size(), 10U);
    EXPECT_EQ(hand.buffers.free(), 3U);
  }
  EXPECT_EQ(hand.buffers.free(), 4U);
}

TEST(BufferRing, MovingALeaseMovesTheRight) {
  ByHand hand;
  BufferLease first = hand.buffers.lease(buffer_cqe(0, 10));
  BufferLease second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
  EXPECT_EQ(second.size(), 10U);
  first.reset();
  EXPECT_EQ(hand.buffers.free(), 3U);

  BufferLease third = hand.buffers.lease(buffer_cqe(1, 20));
  second = std::move(third);
  EXPECT_EQ(hand.buffers.free(), 3U) << "what was held before went home";
  EXPECT_EQ(second.id(), BufferId{1});
  BufferLease& same = second;
  second = std::move(same);
  EXPECT_TRUE(second);
  second.reset();
  EXPECT_FALSE(second);
  EXPECT_EQ(hand.buffers.free(), 4U);
  second.reset();
  EXPECT_EQ(hand.buffers.free(), 4U) << "once is enough";
}

TEST(BufferRing, SlicesShareABuffer) {
  ByHand hand;
  BufferLease whole = hand.buffers.lease(buffer_cqe(0, 40));
  BufferLease rest = whole.rest_after(15);
  EXPECT_EQ(whole.size(), 40U);
  EXPECT_EQ(rest.size(), 25U);
  EXPECT_EQ(rest.id(), BufferId{0});
  EXPECT_EQ(rest.bytes().data(), whole.bytes().data() + 15);
  BufferLease last = rest.rest_after(24);
  EXPECT_EQ(last.size(), 1U);
  whole.reset();
  rest.reset();
  EXPECT_EQ(hand.buffers.free(), 3U) << "the last slice holds it";
  last.reset();
  EXPECT_EQ(hand.buffers.free(), 4U);
}

TEST(BufferRing, DropFrontForgetsBytes) {
  ByHand hand;
  BufferLease lease = hand.buffers.lease(buffer_cqe(0, 40));
  const std::byte* start = lease.bytes().data();
  lease.drop_front(0);
  lease.drop_front(30);
  EXPECT_EQ(lease.size(), 10U);
  EXPECT_EQ(lease.bytes().data(), start + 30);
  EXPECT_EQ(lease.rest_after(4).bytes().data(), start + 34);
  lease.drop_front(10);
  EXPECT_EQ(lease.size(), 0U);
  EXPECT_TRUE(lease) << "an empty slice is still a lease";
}

TEST(BufferRing, AFailedReceiveMayStillReturnABuffer) {
  ByHand hand;
  {
    const BufferLease lease = hand.buffers.lease(buffer_cqe(0, -ECANCELED));
    EXPECT_EQ(lease.size(), 0U);
    EXPECT_EQ(hand.buffers.free(), 3U);
  }
  EXPECT_EQ(hand.buffers.free(), 4U);
}

TEST(BufferRing, SlicesOfAnIncrementalBufferFollowEachOther) {
  ByHand hand;
  BufferLease first = hand.buffers.lease(buffer_cqe(0, 10, IORING_CQE_F_BUF_MORE));
  BufferLease second = hand.buffers.lease(buffer_cqe(0, 20, IORING_CQE_F_BUF_MORE));
  EXPECT_EQ(second.bytes().data(), first.bytes().data() + 10);
  EXPECT_EQ(hand.buffers.free(), 4U) << "the kernel may still fill it";
  first.reset();
  second.reset();
  EXPECT_EQ(hand.buffers.free(), 4U);
  BufferLease third = hand.buffers.lease(buffer_cqe(0, 34));
  EXPECT_EQ(third.bytes().data(), hand.memory.data() + 30);
  EXPECT_EQ(hand.buffers.free(), 3U);
  third.reset();
  EXPECT_EQ(hand.buffers.free(), 4U);
  EXPECT_EQ(hand.buffers.lease(buffer_cqe(0, 5)).bytes().data(), hand.memory.data())
      << "a buffer that went home is filled from its beginning";
}

TEST(BufferRing, AnIncrementalBufferWaitsForItsOldestSlice) {
  ByHand hand;
  BufferLease first = hand.buffers.lease(buffer_cqe(0, 10, IORING_CQE_F_BUF_MORE));
  hand.buffers.lease(buffer_cqe(0, 54)).reset();
  EXPECT_EQ(hand.buffers.free(), 3U);
  first.reset();
  EXPECT_EQ(hand.buffers.free(), 4U);
}

TEST(BufferRing, RefusesWhatTheKernelRefuses) {
  Ring ring;
  std::vector<std::byte> memory(std::size_t{65536} * 8);
  const auto refusal = [&](const BufferRingOptions& options) {
    try {
      const BufferRing buffers(ring, options, memory);
    } catch (const std::system_error& error) {
      EXPECT_NE(std::string(error.what()).find("io_uring_setup_buf_ring"), std::string::npos);
      return error.code().value();
    }
    return 0;
  };
  EXPECT_EQ(refusal({.count = 3, .size = 8}), EINVAL) << "no power of two";
  EXPECT_EQ(refusal({.count = 65536, .size = 8}), EINVAL) << "more than 32768";
  const BufferRing buffers(ring, {.group = 5, .count = 4, .size = 8}, memory);
  EXPECT_EQ(refusal({.group = 5, .count = 4, .size = 8}), EEXIST);
  EXPECT_EQ(refusal({.group = 6, .count = 4, .size = 8}), 0);
  EXPECT_EQ(refusal({.group = 6, .count = 4, .size = 8}), 0) << "free again after its death";
}

TEST(BufferRing, TheKernelFillsWhatIsLeased) {
  Receiving test({.group = 9, .count = 4, .size = 64});
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  // More messages than buffers: each is used several times.
  for (std::size_t round = 0; round < 20; ++round) {
    send_all(test.pair.client, pattern(40, round));
    const Cqe cqe = test.next();
    ASSERT_EQ(cqe.res, 40);
    ASSERT_TRUE(cqe.has_buffer());
    const BufferLease lease = test.buffers.lease(cqe);
    EXPECT_EQ(copy_of(lease.bytes()), pattern(40, round));
    EXPECT_EQ(test.buffers.free(), 3U);
  }
  EXPECT_EQ(test.buffers.free(), 4U);
  test.stop();
}

TEST(BufferRing, EmptyItEndsTheReceiveAndReturnedItWorksAgain) {
  Receiving test({.count = 2, .size = 16});
  std::vector<BufferLease> held;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  send_all(test.pair.client, pattern(48));
  for (int count = 0; count < 2; ++count) held.push_back(test.buffers.lease(test.next()));
  EXPECT_EQ(test.buffers.free(), 0U);
  const Cqe starved = test.next();
  EXPECT_EQ(starved.res, -ENOBUFS);
  EXPECT_FALSE(starved.has_buffer());
  EXPECT_FALSE(test.receive.operation.armed());

  test.receive.operation.start_once(test.ring, test.pair.slot, test.buffers);
  EXPECT_EQ(test.next().res, -ENOBUFS) << "nothing came home yet";

  EXPECT_EQ(copy_of(held[0].bytes()), pattern(16));
  EXPECT_EQ(copy_of(held[1].bytes()), pattern(16, 16));
  held[0].reset();
  test.receive.operation.start_once(test.ring, test.pair.slot, test.buffers);
  const Cqe cqe = test.next();
  ASSERT_EQ(cqe.res, 16) << "the bytes that found no buffer have waited in the socket";
  EXPECT_EQ(copy_of(test.buffers.lease(cqe).bytes()), pattern(16, 32));
}

TEST(BufferRing, EveryBufferIsHandedOutAndOnlyOnce) {
  Receiving test({.count = 8, .size = 16});
  std::vector<BufferLease> held;
  for (std::size_t round = 0; round < 5; ++round) {
    test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
    send_all(test.pair.client, pattern(8 * 16, round));
    std::vector<bool> seen(8);
    for (unsigned count = 0; count < 8; ++count) {
      const Cqe cqe = test.next();
      ASSERT_TRUE(cqe.has_buffer()) << "round " << round << ", after " << count << " buffers";
      held.push_back(test.buffers.lease(cqe));
      const auto id = static_cast<std::uint16_t>(held.back().id());
      EXPECT_FALSE(seen[id]) << "buffer " << id << " twice in round " << round;
      seen[id] = true;
      EXPECT_EQ(copy_of(held.back().bytes()), pattern(16, round + count * 16));
    }
    EXPECT_EQ(test.buffers.free(), 0U);
    test.stop();
    // They come home in another order than they went.
    for (std::size_t step = 0; step < 8; ++step) held[(step * 3 + round) % 8].reset();
    held.clear();
    EXPECT_EQ(test.buffers.free(), 8U);
    test.taken = test.receive.cqes.size();
  }
}

TEST(BufferRing, ARestKeepsTheKernelOut) {
  Receiving test({.count = 1, .size = 16});
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  send_all(test.pair.client, pattern(16));
  std::optional<BufferLease> whole = test.buffers.lease(test.next());
  const BufferLease rest = whole->rest_after(6);
  whole.reset();
  send_all(test.pair.client, pattern(16, 16));
  EXPECT_EQ(test.next().res, -ENOBUFS);
  EXPECT_EQ(copy_of(rest.bytes()), pattern(10, 6));
}

TEST(BufferRing, IncrementalBuffersAreFilledPieceByPiece) {
  std::unique_ptr<Receiving> test;
  try {
    test =
        std::make_unique<Receiving>(BufferRingOptions{.count = 2, .size = 64, .incremental = true});
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::invalid_argument) throw;
    GTEST_SKIP() << "incremental buffers came with Linux 6.12";
  }
  test->receive.operation.start(test->ring, test->pair.slot, test->buffers);
  std::vector<BufferLease> pieces;
  // 3 × 20 bytes fit; of the fourth message 4 bytes do, the rest begins the next buffer.
  for (std::size_t round = 0; round < 3; ++round) {
    send_all(test->pair.client, pattern(20, round * 20));
    const Cqe cqe = test->next();
    ASSERT_EQ(cqe.res, 20);
    ASSERT_TRUE(cqe.has_buffer());
    ASSERT_TRUE(cqe.buffer_more());
    pieces.push_back(test->buffers.lease(cqe));
    EXPECT_EQ(pieces.back().id(), pieces.front().id());
    EXPECT_EQ(copy_of(pieces.back().bytes()), pattern(20, round * 20));
    EXPECT_EQ(test->buffers.free(), 2U);
  }
  send_all(test->pair.client, pattern(20, 60));
  const Cqe end = test->next();
  ASSERT_EQ(end.res, 4);
  EXPECT_FALSE(end.buffer_more());
  pieces.push_back(test->buffers.lease(end));
  EXPECT_EQ(test->buffers.free(), 1U);
  const Cqe beginning = test->next();
  ASSERT_EQ(beginning.res, 16);
  BufferLease second = test->buffers.lease(beginning);
  EXPECT_NE(second.id(), pieces.front().id());
  EXPECT_EQ(copy_of(second.bytes()), pattern(16, 64));
  for (std::size_t round = 0; round < 3; ++round) {
    EXPECT_EQ(copy_of(pieces[round].bytes()), pattern(20, round * 20)) << "nothing was overwritten";
  }
  pieces.clear();
  EXPECT_EQ(test->buffers.free(), 2U);

  // Both buffers take many more rounds.
  second.reset();
  for (std::size_t round = 0; round < 50; ++round) {
    send_all(test->pair.client, pattern(7, round));
    std::vector<std::byte> received;
    while (received.size() < 7) {
      const Cqe cqe = test->next();
      ASSERT_GT(cqe.res, 0);
      const auto bytes = copy_of(test->buffers.lease(cqe).bytes());
      received.insert(received.end(), bytes.begin(), bytes.end());
    }
    ASSERT_EQ(received, pattern(7, round)) << "round " << round;
  }
  test->stop();
}

TEST(BufferRingDeathTest, ALeaseNeedsABuffer) {
  EXPECT_DEATH(
      {
        ByHand hand;
        hand.buffers.lease({.res = -ENOBUFS, .flags = 0});
      },
      "LAB_ASSERT\\(cqe.has_buffer\\(\\)\\)");
}

TEST(BufferRingDeathTest, ACqeIsLeasedOnce) {
  EXPECT_DEATH(
      {
        ByHand hand;
        const BufferLease first = hand.buffers.lease(buffer_cqe(0, 10));
        const BufferLease second = hand.buffers.lease(buffer_cqe(0, 10));
      },
      "LAB_ASSERT\\(state.kernel_writes\\)");
}

TEST(BufferRingDeathTest, AnIdIsOneOfItsBuffers) {
  EXPECT_DEATH(
      {
        ByHand hand(4);
        hand.buffers.lease(buffer_cqe(4, 10));
      },
      "< count_");
}

TEST(BufferRingDeathTest, ASliceLiesWithinItsBuffer) {
  EXPECT_DEATH(
      {
        ByHand hand(4, 64);
        hand.buffers.lease(buffer_cqe(0, 65));
      },
      "<= size_");
}

TEST(BufferRingDeathTest, DiesAfterItsLeases) {
  EXPECT_DEATH(
      {
        BufferLease lease;
        ByHand hand;
        lease = hand.buffers.lease(buffer_cqe(0, 10));
      },
      "LAB_ASSERT\\(state.slices == 0\\)");
}

TEST(BufferRingDeathTest, NeedsItsMemory) {
  EXPECT_DEATH(
      {
        Ring ring;
        std::vector<std::byte> memory(4 * 64 - 1);
        const BufferRing buffers(ring, {.count = 4, .size = 64}, memory);
      },
      "LAB_ASSERT\\(memory.size\\(\\) >= ");
}

TEST(BufferRingDeathTest, AnEmptyLeaseHasNoBytes) {
  EXPECT_DEATH(BufferLease().bytes(), "LAB_ASSERT\\(ring_ != nullptr\\)");
}

TEST(BufferRingDeathTest, ARestIsNotEmpty) {
  EXPECT_DEATH(
      {
        ByHand hand;
        BufferLease lease = hand.buffers.lease(buffer_cqe(0, 10));
        lease.rest_after(10);
      },
      "LAB_ASSERT\\(count < length_\\)");
}

#ifdef LAB_ASAN
// Written through a volatile pointer: the compiler must not see that nobody reads it.
void touch(std::byte* byte) { *const_cast<volatile std::byte*>(byte) = std::byte{1}; }

TEST(BufferRingDeathTest, AProvidedBufferIsTheKernels) {
  ByHand hand;
  std::byte* buffer = hand.buffers.address(BufferId{1});
  EXPECT_DEATH(touch(buffer), "use-after-poison");
  {
    const BufferLease lease = hand.buffers.lease(buffer_cqe(1, 10));
    touch(buffer);
    touch(buffer + 9);
    EXPECT_DEATH(touch(buffer + 64), "use-after-poison") << "the next buffer is not leased";
  }
  EXPECT_DEATH(touch(buffer), "use-after-poison") << "it went home";
}

TEST(BufferRingDeathTest, AnIncrementalSliceIsAllThatIsOurs) {
  ByHand hand;
  const BufferLease lease = hand.buffers.lease(buffer_cqe(1, 13, IORING_CQE_F_BUF_MORE));
  touch(lease.bytes().data() + 12);
  EXPECT_DEATH(touch(lease.bytes().data() + 13), "use-after-poison");
}

TEST(BufferRing, ItsEndGivesTheMemoryBack) {
  std::vector<std::byte> memory(256);
  {
    Ring ring;
    const BufferRing buffers(ring, {.count = 4, .size = 64}, memory);
  }
  for (std::byte& byte : memory) touch(&byte);
}
#else
TEST(BufferRingDeathTest, AProvidedBufferIsTheKernels) {
  GTEST_SKIP() << "poisoning is seen in AddressSanitizer builds only";
}
#endif

}  // namespace
}  // namespace lab
