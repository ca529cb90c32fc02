// shows: one receive, five kinds of buffers: CQEs and CPU time per message, and what buffers hold
// needs: Linux 6.12 (IOU_PBUF_RING_INC; bundles came before it, with 6.10)
// try:   ./lab run 05-06; then make memory_size 1 << 20, and say first which counts will change
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr unsigned memory_size = 256 << 10;  // of each kind, however it is cut
constexpr unsigned large_message = 64 << 10;
constexpr unsigned small_message = 256;
constexpr int group = 1;
constexpr double kibibyte = 1024;
constexpr double mebibyte = 1024 * kibibyte;

// [walk kinds]
struct Kind {
  const char* name;
  unsigned buffer_size;
  bool bundle;
  bool incremental;
};
constexpr std::array<Kind, 5> kinds = {
    Kind{"4 KiB", 4 << 10, false, false}, Kind{"64 KiB", 64 << 10, false, false},
    Kind{"4 KiB, bundle", 4 << 10, true, false}, Kind{"64 KiB, incremental", 64 << 10, false, true},
    Kind{"4 KiB, both", 4 << 10, true, true}};
// [/walk]

struct Receiver {
  Kind kind;
  unsigned buffer_count = 0;
  io_uring ring{};
  io_uring_buf_ring* provided = nullptr;
  std::vector<char> memory = std::vector<char>(memory_size);
  std::vector<unsigned> filled;  // of each buffer: where the next piece begins
  bool keeps_buffers = false;    // true: nothing goes home, as if every message still waited
  std::uint64_t cqes = 0;
  int server = -1;
  int client = -1;
};

void give_back(Receiver& receiver, unsigned id) {
  receiver.filled[id] = 0;
  const unsigned size = receiver.kind.buffer_size;
  const int mask = io_uring_buf_ring_mask(receiver.buffer_count);
  io_uring_buf_ring_add(receiver.provided, &receiver.memory[std::size_t{id} * size], size,
                        static_cast<unsigned short>(id), mask, 0);
  io_uring_buf_ring_advance(receiver.provided, 1);
}

// [walk start]
void start_receive(Receiver& receiver) {
  io_uring_sqe* sqe = io_uring_get_sqe(&receiver.ring);
  io_uring_prep_recv_multishot(sqe, receiver.server, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  if (receiver.kind.bundle) sqe->ioprio |= IORING_RECVSEND_BUNDLE;
}
// [/walk]

void open(Receiver& receiver, const Kind& kind) {
  receiver.kind = kind;
  receiver.buffer_count = memory_size / kind.buffer_size;
  receiver.filled.resize(receiver.buffer_count);
  const unsigned mode = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int made = io_uring_queue_init(64, &receiver.ring, mode);
  if (made == -EINVAL) lab::skip("needs Linux 6.12: IOU_PBUF_RING_INC");
  lab::need(made, "io_uring_queue_init");
  const unsigned flags = kind.incremental ? IOU_PBUF_RING_INC : 0;
  int error = 0;
  receiver.provided =
      io_uring_setup_buf_ring(&receiver.ring, receiver.buffer_count, group, flags, &error);
  if (error == -EINVAL) lab::skip("needs Linux 6.12: IOU_PBUF_RING_INC");
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < receiver.buffer_count; ++id) give_back(receiver, id);

  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  const int room = 1 << 20;  // a large message fits into the socket, whoever reads when
  lab::need_errno(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), "SO_RCVBUF");
  receiver.client = lab::connect_to(port);
  receiver.server = lab::need_errno(accept(listener, nullptr, nullptr), "accept");
  close(listener);
  start_receive(receiver);
}

// [walk pieces]
// Without bundles it runs once; without incremental buffers each piece begins its buffer.
void take_pieces(Receiver& receiver, const io_uring_cqe& cqe, char letter) {
  auto left = static_cast<unsigned>(cqe.res);
  unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  for (; left > 0; id = (id + 1) % receiver.buffer_count) {
    const unsigned at = receiver.filled[id];
    const unsigned part = std::min(left, receiver.kind.buffer_size - at);
    const char* piece = &receiver.memory[std::size_t{id} * receiver.kind.buffer_size + at];
    if (piece[0] != letter || piece[part - 1] != letter) lab::fail("other bytes than were sent");
    receiver.filled[id] += part;
    left -= part;
    // The flag speaks of the last buffer that this CQE touched.
    const bool kernel_goes_on = left == 0 && (cqe.flags & IORING_CQE_F_BUF_MORE) != 0;
    if (!kernel_goes_on && !receiver.keeps_buffers) give_back(receiver, id);
  }
}
// [/walk]

// The whole message lies in the socket before the ring looks: so the counts do not depend on who
// was faster.
void send_message(const Receiver& receiver, const std::string& message) {
  lab::send_all(receiver.client, message);
  lab::await_bytes(receiver.server, message.size());
}

// Returns false when the buffers did not suffice.
bool receive_message(Receiver& receiver, std::size_t size, char letter) {
  for (std::size_t received = 0; received < size;) {
    lab::need(io_uring_submit_and_wait(&receiver.ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    // [walk message]
    while (io_uring_peek_cqe(&receiver.ring, &cqe) == 0) {
      const io_uring_cqe copy{.user_data = 0, .res = cqe->res, .flags = cqe->flags};
      io_uring_cqe_seen(&receiver.ring, cqe);
      if (copy.res == -ENOBUFS && receiver.keeps_buffers) {
        start_receive(receiver);
        return received == size;
      }
      ++receiver.cqes;
      received += static_cast<std::size_t>(lab::need(copy.res, "recv"));
      take_pieces(receiver, copy, letter);
      if ((copy.flags & IORING_CQE_F_MORE) == 0) start_receive(receiver);
    }
    // [/walk]
  }
  return true;
}

lab::Round messages(Receiver& receiver, unsigned size) {
  // At least 64 KiB in all: so each round finds the incremental buffers as the last one left them.
  const unsigned count = std::max(16U, large_message / size);
  const std::uint64_t cqes_before = receiver.cqes;
  for (unsigned number = 0; number < count; ++number) {
    const char letter = static_cast<char>('a' + number % 26);
    send_message(receiver, std::string(size, letter));
    receive_message(receiver, size, letter);
  }
  return {count, static_cast<double>(receiver.cqes - cqes_before) / count};
}

// [walk held]
unsigned messages_held(Receiver& receiver) {
  receiver.keeps_buffers = true;
  for (unsigned count = 0;; ++count) {
    send_message(receiver, std::string(small_message, 'x'));
    if (!receive_message(receiver, small_message, 'x')) return count;
  }
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  std::array<Receiver, kinds.size()> receivers;
  lab::Knob knob(lesson, {.name = "buffers",
                          .title = "A message over loopback into provided buffers",
                          .operation = "message",
                          .sweep = "message, KiB",
                          .extra = "CQEs per message"});
  for (const unsigned size : {small_message, 4096U, large_message}) {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      knob.add(
          kinds[i].name, [&r = receivers[i], size] { return messages(r, size); }, size / kibibyte);
    }
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) open(receivers[i], kinds[i]);
  lesson.watch(receivers[0].ring);
  knob.run();

  std::printf("CQEs per MiB in messages of 256 B | of 64 KiB | how many of 256 B are held\n");
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    std::printf("%-19s | %5g | %3g | %4u\n", kinds[i].name,
                knob.extra(kinds[i].name, small_message / kibibyte) * mebibyte / small_message,
                knob.extra(kinds[i].name, large_message / kibibyte) * mebibyte / large_message,
                messages_held(receivers[i]));
  }

  for (Receiver& receiver : receivers) {
    io_uring_free_buf_ring(&receiver.ring, receiver.provided, receiver.buffer_count, group);
    io_uring_queue_exit(&receiver.ring);
    for (const int fd : {receiver.server, receiver.client}) close(fd);
  }
  return lab::ok();
}
