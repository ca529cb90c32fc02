// shows: small messages one behind the other in the same buffer, and the flag that says it is full
// needs: Linux 6.12 (IOU_PBUF_RING_INC)
// try:   ./lab run 03-12; then send five messages of 9 bytes
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned buffer_count = 2;
constexpr unsigned buffer_size = 32;
constexpr int group = 1;

// [walk receiver]
struct Receiver {
  io_uring ring{};
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, buffer_size>, buffer_count> buffers{};
  // Where the next piece of each buffer begins. The CQE does not say it: pieces follow each other,
  // so whoever counts knows.
  std::array<unsigned, buffer_count> filled{};
};
// [/walk]

// [walk give-back]
void give_back(Receiver& receiver, unsigned id) {
  receiver.filled.at(id) = 0;
  io_uring_buf_ring_add(receiver.provided, receiver.buffers.at(id).data(), buffer_size,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(receiver.provided, 1);
}
// [/walk]

// [walk on-receive]
void on_receive(Receiver& receiver, const io_uring_cqe& cqe) {
  const int size = lab::need(cqe.res, "recv");
  const unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  const bool kernel_goes_on = (cqe.flags & IORING_CQE_F_BUF_MORE) != 0;
  const char* piece = receiver.buffers.at(id).data() + receiver.filled.at(id);
  std::printf("buffer %u from %2u: %-12.*s%s\n", id, receiver.filled.at(id), size, piece,
              kernel_goes_on ? "" : "  the buffer is full");
  receiver.filled.at(id) += static_cast<unsigned>(size);
  // The buffer is ours again when the kernel will put nothing more into it, and not earlier.
  if (!kernel_goes_on) give_back(receiver, id);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Receiver receiver;
  lab::need(io_uring_queue_init(8, &receiver.ring, 0), "io_uring_queue_init");
  lesson.watch(receiver.ring);
  // [walk group]
  int error = 0;
  receiver.provided =
      io_uring_setup_buf_ring(&receiver.ring, buffer_count, group, IOU_PBUF_RING_INC, &error);
  if (error == -EINVAL) lab::skip("needs Linux 6.12: IOU_PBUF_RING_INC");
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) give_back(receiver, id);
  // [/walk]
  const auto [server, client] = lab::connected_pair();

  // [walk loop]
  io_uring_sqe* sqe = io_uring_get_sqe(&receiver.ring);
  io_uring_prep_recv_multishot(sqe, server, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  for (const std::string_view text :
       {"one", "two", "three", "a message that spans two buffers", "four", "five"}) {
    lab::send_all(client, text);
    for (std::size_t received = 0; received < text.size();) {
      lab::need(io_uring_submit_and_wait(&receiver.ring, 1), "io_uring_submit_and_wait");
      io_uring_cqe* cqe = nullptr;
      lab::need(io_uring_peek_cqe(&receiver.ring, &cqe), "io_uring_peek_cqe");
      on_receive(receiver, *cqe);
      received += static_cast<std::size_t>(cqe->res);
      io_uring_cqe_seen(&receiver.ring, cqe);
    }
  }
  // [/walk]

  close(client);
  close(server);
  io_uring_free_buf_ring(&receiver.ring, receiver.provided, buffer_count, group);
  io_uring_queue_exit(&receiver.ring);
  return lab::ok();
}
