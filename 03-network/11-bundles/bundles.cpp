// shows: one receive that fills several buffers, one send that empties several
// needs: Linux 6.10 (bundles)
// try:   ./lab run 03-11; then make the message 500 bytes and count the CQEs
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned buffer_count = 8;
constexpr unsigned buffer_size = 64;
constexpr int receive_group = 1;
constexpr int send_group = 2;

using Buffers = std::array<std::array<char, buffer_size>, buffer_count>;

io_uring_buf_ring* make_group(io_uring& ring, int group) {
  int error = 0;
  io_uring_buf_ring* made = io_uring_setup_buf_ring(&ring, buffer_count, group, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  return made;
}

void provide(io_uring_buf_ring* ring, char* memory, unsigned size, unsigned id) {
  io_uring_buf_ring_add(ring, memory, size, static_cast<unsigned short>(id),
                        io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(ring, 1);
}

// [walk submit]
io_uring_cqe submit(io_uring& ring, io_uring_sqe* sqe, int group) {
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = static_cast<unsigned short>(group);
  sqe->ioprio |= IORING_RECVSEND_BUNDLE;
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  const io_uring_cqe copy{.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}
// [/walk]

// [walk collect]
// The CQE names the first buffer only. The others follow it in the order in which they were
// provided, each full but the last.
std::string collect(const Buffers& buffers, unsigned first, int size) {
  std::string text;
  for (unsigned id = first; size > 0; id = (id + 1) % buffer_count) {
    const int part = size < static_cast<int>(buffer_size) ? size : static_cast<int>(buffer_size);
    text.append(buffers.at(id).data(), static_cast<std::size_t>(part));
    std::printf("  buffer %u: %d bytes\n", id, part);
    size -= part;
  }
  return text;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  if ((ring.features & IORING_FEAT_RECVSEND_BUNDLE) == 0) lab::skip("needs Linux 6.10: bundles");
  io_uring_buf_ring* receiving = make_group(ring, receive_group);
  io_uring_buf_ring* sending = make_group(ring, send_group);
  Buffers buffers{};
  for (unsigned id = 0; id < buffer_count; ++id) {
    provide(receiving, buffers.at(id).data(), buffer_size, id);
  }
  const auto [server, client] = lab::connected_pair();

  std::string message;
  for (int number = 0; message.size() < 300; ++number) message += std::to_string(number) + " ";
  message.resize(300);
  lab::send_all(client, message);
  std::string received;
  // [walk receive]
  for (int taken = 0; taken < static_cast<int>(message.size());) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv(sqe, server, nullptr, 0, 0);
    const io_uring_cqe cqe = submit(ring, sqe, receive_group);
    taken += lab::need(cqe.res, "recv");
    std::printf("received %d bytes\n", cqe.res);
    received += collect(buffers, cqe.flags >> IORING_CQE_BUFFER_SHIFT, cqe.res);
  }
  // [/walk]
  std::printf("the same bytes: %s\n", received == message ? "yes" : "no");

  // [walk provide]
  // The same buffers, now as what is to be sent: provided in order, they leave in order.
  std::size_t left = received.size();
  for (unsigned id = 0; left > 0; ++id) {
    const auto part = static_cast<unsigned>(left < buffer_size ? left : buffer_size);
    provide(sending, buffers.at(id).data(), part, id);
    left -= part;
  }
  int sent = 0;
  // [/walk]
  // [walk send]
  while (sent < static_cast<int>(received.size())) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_send_bundle(sqe, server, 0, MSG_WAITALL);
    sent += lab::need(submit(ring, sqe, send_group).res, "send");
    std::printf("sent up to byte %d\n", sent);
  }
  // [/walk]
  std::printf("echoed: %s\n", lab::receive(client, received.size()) == message ? "yes" : "no");

  close(client);
  close(server);
  io_uring_free_buf_ring(&ring, receiving, buffer_count, receive_group);
  io_uring_free_buf_ring(&ring, sending, buffer_count, send_group);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
