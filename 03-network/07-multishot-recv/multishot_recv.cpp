// shows: one SQE that receives again and again, and three ways in which it ends
// needs: Linux 6.0
// try:   ./lab run 03-07; then make the ring 8 entries instead of 2, and see which end is gone
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned buffer_count = 8;
constexpr unsigned buffer_size = 8;
constexpr int group = 1;

// [walk receiver]
struct Receiver {
  io_uring ring{};
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, buffer_size>, buffer_count> buffers{};
  int fd = -1;
  // True until a CQE comes without F_MORE. While it is true, a second receive would steal bytes
  // from the first; once it is false, nobody receives until we start again.
  bool armed = false;
};
// [/walk]

// [walk start]
void start_receive(Receiver& receiver) {
  io_uring_sqe* sqe = io_uring_get_sqe(&receiver.ring);
  // No address and no length: the kernel takes a buffer of the group for each piece that arrives.
  io_uring_prep_recv_multishot(sqe, receiver.fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  receiver.armed = true;
  std::printf("one SQE\n");
}
// [/walk]

// [walk give-back]
void give_back(Receiver& receiver, unsigned id) {
  io_uring_buf_ring_add(receiver.provided, receiver.buffers.at(id).data(), buffer_size,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(receiver.provided, 1);
}
// [/walk]

// [walk on-receive]
void on_receive(Receiver& receiver, int res, unsigned flags) {
  const bool more = (flags & IORING_CQE_F_MORE) != 0;
  if ((flags & IORING_CQE_F_BUFFER) != 0) {
    const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    std::printf("  res %d: \"%.*s\" in buffer %u%s\n", res, res, receiver.buffers.at(id).data(), id,
                more ? "" : ", the last CQE");
  } else {
    std::printf("  res %d (%s), the last CQE\n", res, res == 0 ? "FIN" : std::strerror(-res));
  }
  // Only the missing flag says that the receive has ended, whatever res says.
  if (!more) receiver.armed = false;
}
// [/walk]

// [walk take]
// Handles CQEs until `count` of them came.
void take(Receiver& receiver, unsigned count) {
  for (; count > 0; --count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_submit_and_wait(&receiver.ring, 1), "io_uring_submit_and_wait");
    lab::need(io_uring_peek_cqe(&receiver.ring, &cqe), "io_uring_peek_cqe");
    const int res = cqe->res;
    const unsigned flags = cqe->flags;
    io_uring_cqe_seen(&receiver.ring, cqe);
    on_receive(receiver, res, flags);
  }
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Receiver receiver;
  // [walk set-up]
  // 2 entries for SQEs, and the kernel makes the CQ twice as large: 4 entries.
  lab::need(io_uring_queue_init(2, &receiver.ring, 0), "io_uring_queue_init");
  lesson.watch(receiver.ring);
  int error = 0;
  receiver.provided = io_uring_setup_buf_ring(&receiver.ring, buffer_count, group, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) give_back(receiver, id);
  // [/walk]
  const auto [server, client] = lab::connected_pair();
  receiver.fd = server;

  // [walk story]
  start_receive(receiver);
  for (const std::string_view text : {"one", "two", "three"}) {
    lab::send_all(client, text);
    take(receiver, 1);
  }

  std::printf("48 bytes at once: 6 buffers, and the CQ has 4 entries\n");
  lab::send_all(client, "CQE of 1CQE of 2CQE of 3CQE of 4CQE of 5 no room");
  take(receiver, 5);
  // [/walk]

  // [walk scarce]
  std::printf("8 bytes wait, and no buffer is left\n");
  if (!receiver.armed) start_receive(receiver);
  take(receiver, 1);

  std::printf("three buffers come home\n");
  for (const unsigned id : {0U, 1U, 2U}) give_back(receiver, id);
  if (!receiver.armed) start_receive(receiver);
  take(receiver, 1);
  // [/walk]

  std::printf("the peer leaves\n");
  shutdown(client, SHUT_WR);
  take(receiver, 1);

  close(client);
  close(server);
  io_uring_free_buf_ring(&receiver.ring, receiver.provided, buffer_count, group);
  io_uring_queue_exit(&receiver.ring);
  return lab::ok();
}
