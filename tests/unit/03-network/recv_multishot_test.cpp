#include "03-network/lib/recv_multishot.hpp"

#include <poll.h>

#include <cerrno>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

struct MultishotReceiving : Connected {
  explicit MultishotReceiving(unsigned count = 64, unsigned size = 64, unsigned cq_entries = 0)
      : Connected{.ring = Ring({.sq_entries = 64, .cq_entries = cq_entries})},
        memory(std::size_t{count} * size),
        buffers(ring, {.count = count, .size = size}, memory) {}

  // What CQE number `position` brought; its buffer goes home.
  std::vector<std::byte> take(std::size_t position) {
    const Cqe cqe = receive.cqes.at(position);
    return cqe.has_buffer() ? copy_of(buffers.lease(cqe).bytes()) : std::vector<std::byte>{};
  }

  void stop() {
    Recorder<Cancel> cancel;
    cancel.operation.start(ring, receive.operation);
    run_until(ring, [&] { return ring.armed_count() == 0; });
  }

  std::vector<std::byte> memory;
  BufferRing buffers;
  Recorder<RecvMultishot> receive;
};

TEST(RecvMultishot, OneSqeReceivesAgainAndAgain) {
  MultishotReceiving test;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  for (std::size_t round = 0; round < 10; ++round) {
    send_all(test.pair.client, pattern(10 + round, round));
    run_until_count(test.ring, test.receive, round + 1);
    EXPECT_TRUE(test.receive.cqes[round].more());
    EXPECT_TRUE(test.receive.cqes[round].has_buffer());
    EXPECT_EQ(test.take(round), pattern(10 + round, round));
  }
  EXPECT_EQ(test.ring.counters().submitted, 2U) << "the accept and one receive";
  test.stop();
  EXPECT_EQ(test.receive.cqes.back().res, -ECANCELED);
  EXPECT_FALSE(test.receive.cqes.back().has_buffer());
}

TEST(RecvMultishot, TheEndOfTheStreamIsZero) {
  MultishotReceiving test;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  send_all(test.pair.client, pattern(5));
  ::shutdown(test.pair.client.get(), SHUT_WR);
  run_until_disarmed(test.ring, test.receive);
  ASSERT_EQ(test.receive.cqes.size(), 2U);
  EXPECT_EQ(test.take(0), pattern(5));
  EXPECT_EQ(test.receive.cqes[1].res, 0);
  EXPECT_FALSE(test.receive.cqes[1].more());
  EXPECT_FALSE(test.receive.cqes[1].has_buffer()) << "no buffer is spent on the end";
  EXPECT_EQ(test.buffers.free(), 64U);
}

TEST(RecvMultishot, AResetIsAnError) {
  MultishotReceiving test;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  test.ring.run_once(0);
  reset_connection(test.pair.client);
  run_until_disarmed(test.ring, test.receive);
  EXPECT_EQ(test.receive.cqes.back().res, -ECONNRESET);
  EXPECT_FALSE(test.receive.cqes.back().has_buffer());
}

TEST(RecvMultishot, ALongMessageTakesSeveralBuffers) {
  MultishotReceiving test;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  send_all(test.pair.client, pattern(1000));
  std::vector<std::byte> received;
  for (std::size_t position = 0; received.size() < 1000; ++position) {
    run_until_count(test.ring, test.receive, position + 1);
    const auto bytes = test.take(position);
    ASSERT_FALSE(bytes.empty());
    received.insert(received.end(), bytes.begin(), bytes.end());
  }
  EXPECT_EQ(received, pattern(1000));
  EXPECT_EQ(test.buffers.free(), 64U);
  test.stop();
}

// The kernel may go on in the background or end the receive; either way no byte is lost.
TEST(RecvMultishot, AFullCompletionQueueLosesNothing) {
  constexpr std::size_t total = 200 * 16;
  MultishotReceiving test(256, 16, 64);
  send_all(test.pair.client, pattern(total));
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  std::vector<std::byte> received;
  for (std::size_t position = 0; received.size() < total; ++position) {
    run_until_count(test.ring, test.receive, position + 1);
    const auto bytes = test.take(position);
    received.insert(received.end(), bytes.begin(), bytes.end());
    if (!test.receive.operation.armed() && position + 1 == test.receive.cqes.size()) {
      ASSERT_GT(test.receive.cqes[position].res, 0) << "ended by something else";
      test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
    }
  }
  EXPECT_EQ(received, pattern(total));
  if (test.receive.operation.armed()) test.stop();
}

TEST(RecvMultishot, ATotalEndsItWithData) {
  MultishotReceiving test;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers, 100);
  send_all(test.pair.client, pattern(300));
  run_until_count(test.ring, test.receive, 1);
  if (test.receive.cqes[0].res == -EINVAL) {
    GTEST_SKIP() << "the total of a multishot receive came with Linux 6.18";
  }
  std::vector<std::byte> received;
  std::size_t taken = 0;
  const auto take_all = [&] {
    run_until_disarmed(test.ring, test.receive);
    for (; taken < test.receive.cqes.size(); ++taken) {
      ASSERT_GT(test.receive.cqes[taken].res, 0) << "the last CQE is data too";
      const auto bytes = test.take(taken);
      received.insert(received.end(), bytes.begin(), bytes.end());
    }
  };
  take_all();
  // It ends with the buffer in which the total is reached, which is filled all the same.
  EXPECT_GE(received.size(), 100U);
  EXPECT_LT(received.size(), 100U + 64U);
  EXPECT_EQ(received, pattern(received.size()));

  // What is left has waited for the next one.
  const auto rest = static_cast<std::uint32_t>(300 - received.size());
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers, rest);
  take_all();
  EXPECT_EQ(received, pattern(300));
  EXPECT_EQ(test.buffers.free(), 64U);
}

TEST(RecvMultishot, OnceIsOnce) {
  MultishotReceiving test;
  test.receive.operation.start_once(test.ring, test.pair.slot, test.buffers);
  send_all(test.pair.client, pattern(100));
  run_until_disarmed(test.ring, test.receive);
  ASSERT_EQ(test.receive.cqes.size(), 1U);
  EXPECT_FALSE(test.receive.cqes[0].more());
  EXPECT_EQ(test.take(0), pattern(64)) << "one buffer, whatever has come";
  test.ring.run_once(0);
  EXPECT_EQ(test.receive.cqes.size(), 1U);

  test.receive.operation.start_once(test.ring, test.pair.slot, test.buffers);
  run_until_disarmed(test.ring, test.receive);
  EXPECT_EQ(test.take(1), pattern(36, 64));
}

TEST(RecvMultishot, WhenWritableWaitsForTheReader) {
  MultishotReceiving test;
  test.receive.operation.start_when_writable(test.ring, test.pair.slot);
  run_until_disarmed(test.ring, test.receive);
  ASSERT_EQ(test.receive.cqes.size(), 1U);
  EXPECT_NE(test.receive.cqes[0].res & POLLOUT, 0);
  EXPECT_FALSE(test.receive.cqes[0].has_buffer());

  // Fill the connection: MSG_DONTWAIT sends until nothing goes.
  const std::vector<std::byte> block = pattern(65536);
  std::size_t sent = 0;
  for (int res = 0; res != -EAGAIN;) {
    Recorder<> send;
    io_uring_sqe* sqe = test.ring.sqe();
    io_uring_prep_send(sqe, index(test.pair.slot), block.data(), block.size(), MSG_DONTWAIT);
    sqe->flags |= IOSQE_FIXED_FILE;
    test.ring.arm(sqe, send.operation);
    run_until_disarmed(test.ring, send);
    res = send.cqes.at(0).res;
    ASSERT_TRUE(res > 0 || res == -EAGAIN) << res;
    if (res > 0) sent += static_cast<std::size_t>(res);
  }
  send_all(test.pair.client, pattern(10));  // that there is something to read changes nothing
  test.receive.operation.start_when_writable(test.ring, test.pair.slot);
  test.ring.run_once(0);
  EXPECT_TRUE(test.receive.operation.armed()) << "there is no room to send";
  EXPECT_EQ(receive_all(test.pair.client, sent).size(), sent);
  run_until_disarmed(test.ring, test.receive);
  EXPECT_NE(test.receive.cqes.back().res & POLLOUT, 0);
}

TEST(RecvMultishot, ConnectionsDoNotMix) {
  MultishotReceiving test;
  const TcpPair second(test.ring, test.listener);
  Recorder<RecvMultishot> second_receive;
  test.receive.operation.start(test.ring, test.pair.slot, test.buffers);
  second_receive.operation.start(test.ring, second.slot, test.buffers);
  send_all(second.client, pattern(7, 2));
  send_all(test.pair.client, pattern(5, 1));
  run_until(test.ring, [&] { return !test.receive.cqes.empty() && !second_receive.cqes.empty(); });
  EXPECT_EQ(test.take(0), pattern(5, 1));
  EXPECT_EQ(copy_of(test.buffers.lease(second_receive.cqes[0]).bytes()), pattern(7, 2));
  Recorder<Cancel> cancel;
  cancel.operation.start_all(test.ring);
  run_until(test.ring, [&] { return test.ring.armed_count() == 0; });
}

TEST(RecvMultishot, AGroupThatIsNotThereIsNoBuffer) {
  MultishotReceiving test;
  Ring other;
  std::vector<std::byte> memory(64);
  const BufferRing elsewhere(other, {.group = 77, .count = 1, .size = 64}, memory);
  send_all(test.pair.client, pattern(1));
  test.receive.operation.start(test.ring, test.pair.slot, elsewhere);
  run_until_disarmed(test.ring, test.receive);
  EXPECT_EQ(test.receive.cqes.at(0).res, -ENOBUFS);
}

}  // namespace
}  // namespace lab
