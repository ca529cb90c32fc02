#include "03-network/lib/accept_multishot.hpp"

#include <cerrno>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

FileSlot slot_of(const Cqe& cqe) { return FileSlot{static_cast<std::uint32_t>(cqe.res)}; }

// Sends from a slot, so that the client shows which connection it is.
void send_from(Ring& ring, FileSlot slot, char byte) {
  Recorder<> send;
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_send(sqe, index(slot), &byte, 1, MSG_NOSIGNAL);
  sqe->flags |= IOSQE_FIXED_FILE;
  ring.arm(sqe, send.operation);
  run_until_disarmed(ring, send);
  ASSERT_EQ(send.cqes.at(0).res, 1);
}

void close_slot(Ring& ring, FileSlot slot) {
  Recorder<CloseSlot> close;
  close.operation.start(ring, slot);
  run_until_disarmed(ring, close);
  ASSERT_EQ(close.cqes.at(0).res, 0);
}

template <class Operation>
void cancel_and_join(Ring& ring, Recorder<Operation>& recorder) {
  Recorder<Cancel> cancel;
  cancel.operation.start(ring, recorder.operation);
  run_until(ring, [&] { return !cancel.operation.armed() && !recorder.operation.armed(); });
}

TEST(AcceptMultishot, OneSqeAcceptsMany) {
  Ring ring;
  const FileTable table(ring, 8);
  const Listener listener{ListenerOptions{}};
  Recorder<AcceptMultishot> accept;
  accept.operation.start(ring, listener.fd());
  std::vector<Fd> clients;
  for (std::size_t count = 0; count < 5; ++count) {
    clients.push_back(connect_to(listener.port()));
    run_until_count(ring, accept, count + 1);
    ASSERT_GE(accept.cqes[count].res, 0);
    EXPECT_TRUE(accept.cqes[count].more());
    // The connection in the slot is the one that came just now.
    send_from(ring, slot_of(accept.cqes[count]), static_cast<char>('a' + count));
    EXPECT_EQ(receive_all(clients.back(), 1).at(0), static_cast<std::byte>('a' + count));
  }
  EXPECT_TRUE(accept.operation.armed());
  cancel_and_join(ring, accept);
  EXPECT_EQ(accept.cqes.back().res, -ECANCELED);
  EXPECT_FALSE(accept.cqes.back().more());

  // What comes after the cancel waits in the backlog for whoever accepts next.
  const Fd late = connect_to(listener.port());
  accept.operation.start(ring, listener.fd());
  run_until_count(ring, accept, 7);
  EXPECT_GE(accept.cqes.back().res, 0);
  cancel_and_join(ring, accept);
}

TEST(AcceptMultishot, WhoWaitsAlreadyIsAccepted) {
  Ring ring;
  const FileTable table(ring, 8);
  const Listener listener{ListenerOptions{}};
  std::vector<Fd> clients;
  for (int count = 0; count < 5; ++count) clients.push_back(connect_to(listener.port()));
  Recorder<AcceptMultishot> accept;
  accept.operation.start(ring, listener.fd());
  run_until_count(ring, accept, 5);
  EXPECT_TRUE(accept.operation.armed());
  cancel_and_join(ring, accept);
}

TEST(AcceptMultishot, OnceTakesOneAndLeavesTheOthers) {
  Ring ring;
  const FileTable table(ring, 8);
  const Listener listener{ListenerOptions{}};
  const Fd first = connect_to(listener.port());
  const Fd second = connect_to(listener.port());
  Recorder<AcceptMultishot> accept;
  accept.operation.start_once(ring, listener.fd());
  run_until_disarmed(ring, accept);
  ASSERT_EQ(accept.cqes.size(), 1U);
  EXPECT_FALSE(accept.cqes[0].more());
  send_from(ring, slot_of(accept.cqes[0]), 'a');
  EXPECT_EQ(receive_all(first, 1).at(0), std::byte{'a'});

  accept.operation.start_once(ring, listener.fd());
  run_until_disarmed(ring, accept);
  send_from(ring, slot_of(accept.cqes[1]), 'b');
  EXPECT_EQ(receive_all(second, 1).at(0), std::byte{'b'});
}

// Why it is armed only while there is room: the connection that finds no slot is lost.
TEST(AcceptMultishot, AFullTableEndsItAndCostsAConnection) {
  Ring ring;
  const FileTable table(ring, 2);
  const Listener listener{ListenerOptions{}};
  Recorder<AcceptMultishot> accept;
  accept.operation.start(ring, listener.fd());
  std::vector<Fd> clients;
  for (int count = 0; count < 3; ++count) clients.push_back(connect_to(listener.port()));
  run_until_disarmed(ring, accept);
  ASSERT_EQ(accept.cqes.size(), 3U);
  EXPECT_EQ(accept.cqes[2].res, -ENFILE);
  EXPECT_FALSE(accept.cqes[2].more());
  EXPECT_TRUE(peer_closed(clients[2]));

  // With a slot free again, one is taken; the others were not harmed.
  close_slot(ring, slot_of(accept.cqes[0]));
  EXPECT_TRUE(peer_closed(clients[0])) << "closing the slot sends a FIN";
  const Fd next = connect_to(listener.port());
  accept.operation.start_once(ring, listener.fd());
  run_until_disarmed(ring, accept);
  EXPECT_EQ(accept.cqes[3].res, accept.cqes[0].res) << "the slot that was given back";
  send_from(ring, slot_of(accept.cqes[3]), 'n');
  EXPECT_EQ(receive_all(next, 1).at(0), std::byte{'n'});
  send_from(ring, slot_of(accept.cqes[1]), 'o');
  EXPECT_EQ(receive_all(clients[1], 1).at(0), std::byte{'o'});
}

TEST(AcceptMultishot, AFileThatDoesNotListenIsAnError) {
  Ring ring;
  const FileTable table(ring, 2);
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Recorder<AcceptMultishot> accept;
  accept.operation.start(ring, socket.get());
  run_until_disarmed(ring, accept);
  EXPECT_EQ(accept.cqes.at(0).res, -EINVAL);
}

}  // namespace
}  // namespace lab
