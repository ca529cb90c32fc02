#include "03-network/lib/send.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

// A connection whose server side can hold little: SO_SNDBUF is inherited from the listener.
struct Narrow {
  Narrow() : listener(ListenerOptions{.socket_options = SocketOptions::plain}) {
    const int size = 4096;
    check_errno(::setsockopt(listener.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size),
                "SO_SNDBUF");
    pair.emplace(ring, listener);
  }

  Ring ring;
  FileTable table{ring, 4};
  Listener listener;
  std::optional<TcpPair> pair;
};

bool readable(const Fd& fd, int timeout_ms) {
  pollfd entry{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

TEST(Send, SendsTheBytes) {
  Connected test;
  Recorder<Send> send;
  for (std::size_t round = 0; round < 3; ++round) {
    const auto bytes = pattern(1000, round);
    send.operation.start(test.ring, test.pair.slot, bytes);
    run_until_disarmed(test.ring, send);
    EXPECT_EQ(send.cqes.at(round).res, 1000);
    EXPECT_EQ(receive_all(test.pair.client, 1000), bytes);
  }
}

TEST(Send, GoesOnAfterAPartialSend) {
  Narrow test;
  const auto bytes = pattern(1 << 20);
  Recorder<Send> send;
  send.operation.start(test.ring, test.pair->slot, bytes);
  test.ring.run_once(0);
  EXPECT_TRUE(send.operation.armed()) << "a megabyte fits nowhere";
  std::vector<std::byte> received;
  std::thread reader([&] { received = receive_all(test.pair->client, bytes.size()); });
  while (send.operation.armed()) test.ring.run_once();
  reader.join();
  ASSERT_EQ(send.cqes.size(), 1U);
  EXPECT_EQ(send.cqes[0].res, 1 << 20) << "MSG_WAITALL";
  EXPECT_EQ(received, bytes);
}

TEST(Send, CancelledItTellsHowMuchWent) {
  Narrow test;
  const auto bytes = pattern(16 << 20);
  Recorder<Send> send;
  Recorder<Cancel> cancel;
  send.operation.start(test.ring, test.pair->slot, bytes);
  test.ring.run_once(0);
  ASSERT_TRUE(readable(test.pair->client, 10'000));
  cancel.operation.start(test.ring, send.operation);
  run_until(test.ring, [&] { return test.ring.armed_count() == 0; });
  ASSERT_GT(send.cqes.at(0).res, 0);
  const auto sent = static_cast<std::size_t>(send.cqes[0].res);
  ASSERT_LT(sent, bytes.size());

  // The stream goes on where the count says, without a gap or a repetition.
  const auto mark = pattern(100, 12345);
  std::vector<std::byte> received;
  std::thread reader([&] { received = receive_all(test.pair->client, sent + 100); });
  send.operation.start(test.ring, test.pair->slot, mark);
  while (send.operation.armed()) test.ring.run_once();
  reader.join();
  ASSERT_EQ(received.size(), sent + 100);
  EXPECT_TRUE(std::equal(received.begin(), received.begin() + send.cqes[0].res, bytes.begin()));
  EXPECT_TRUE(std::equal(mark.begin(), mark.end(), received.begin() + send.cqes[0].res));
}

TEST(Send, ToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  Connected test;
  reset_connection(test.pair.client);
  Recorder<Send> send;
  const auto bytes = pattern(10);
  // The first one may meet the error that the reset left, the next one a closed connection.
  for (std::size_t round = 0; round < 2; ++round) {
    send.operation.start(test.ring, test.pair.slot, bytes);
    run_until_disarmed(test.ring, send);
    const int res = send.cqes.at(round).res;
    EXPECT_TRUE(res == -ECONNRESET || res == -EPIPE) << res;
  }
}

TEST(Send, AnEmptySlotIsAnError) {
  Connected test;
  Recorder<Send> send;
  send.operation.start(test.ring, FileSlot{15}, pattern(1));
  run_until_disarmed(test.ring, send);
  EXPECT_EQ(send.cqes.at(0).res, -EBADF);
}

// Leases with known content, by hand: nothing is received on this ring.
class Leases {
 public:
  Leases(Ring& ring, unsigned count)
      : memory_(std::size_t{count} * 64), buffers(ring, {.count = count, .size = 64}, memory_) {}

  BufferLease next(std::uint32_t length) {
    BufferLease lease =
        buffers.lease({.res = static_cast<std::int32_t>(length),
                       .flags = IORING_CQE_F_BUFFER | (next_id_++ << IORING_CQE_BUFFER_SHIFT)});
    std::ranges::copy(pattern(length, produced_), lease.bytes().begin());
    produced_ += length;
    return lease;
  }

 private:
  std::vector<std::byte> memory_;
  unsigned next_id_ = 0;
  std::size_t produced_ = 0;

 public:
  BufferRing buffers;
};

TEST(GatherList, SendsTheLeasesInOrder) {
  Connected test;
  Leases leases(test.ring, 8);
  LeasePool pool(8);
  LeaseQueue queue(pool);
  for (std::uint32_t count = 1; count <= 5; ++count) queue.push(leases.next(count * 10));
  GatherList list;
  EXPECT_EQ(list.fill(queue), 150U);
  Recorder<Send> send;
  send.operation.start(test.ring, test.pair.slot, list.message());
  run_until_disarmed(test.ring, send);
  ASSERT_EQ(send.cqes.at(0).res, 150);
  EXPECT_EQ(receive_all(test.pair.client, 150), pattern(150));
  queue.consume(150);
  EXPECT_EQ(leases.buffers.free(), 8U);
}

TEST(GatherList, TakesItsMaximumAndGoesOnWithTheRest) {
  Connected test;
  Leases leases(test.ring, 128);
  LeasePool pool(128);
  LeaseQueue queue(pool);
  for (int count = 0; count < 100; ++count) queue.push(leases.next(10));
  GatherList list;
  EXPECT_EQ(list.fill(queue), GatherList::pieces_max * 10);
  EXPECT_EQ(list.message().msg_iovlen, GatherList::pieces_max);
  std::size_t rounds = 0;
  Recorder<Send> send;
  while (!queue.empty()) {
    const std::uint32_t bytes = list.fill(queue);
    send.operation.start(test.ring, test.pair.slot, list.message());
    run_until_disarmed(test.ring, send);
    ASSERT_EQ(send.cqes.back().res, static_cast<int>(bytes));
    queue.consume(bytes);
    ++rounds;
  }
  EXPECT_EQ(rounds, (100 + GatherList::pieces_max - 1) / GatherList::pieces_max);
  EXPECT_EQ(receive_all(test.pair.client, 1000), pattern(1000));
  EXPECT_EQ(leases.buffers.free(), 128U);
}

TEST(GatherList, ARestIsDescribedFromWhereItWasCut) {
  Connected test;
  Leases leases(test.ring, 4);
  LeasePool pool(4);
  LeaseQueue queue(pool);
  queue.push(leases.next(40));
  queue.push(leases.next(40));
  queue.consume(50);  // as after a short send
  GatherList list;
  EXPECT_EQ(list.fill(queue), 30U);
  Recorder<Send> send;
  send.operation.start(test.ring, test.pair.slot, list.message());
  run_until_disarmed(test.ring, send);
  EXPECT_EQ(receive_all(test.pair.client, 30), pattern(30, 50));
}

TEST(GatherList, OfAnEmptyQueueIsEmpty) {
  LeasePool pool(1);
  const LeaseQueue queue(pool);
  GatherList list;
  EXPECT_EQ(list.fill(queue), 0U);
  EXPECT_EQ(list.message().msg_iovlen, 0U);
}

}  // namespace
}  // namespace lab
