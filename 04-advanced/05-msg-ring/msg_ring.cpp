// shows: a CQE that another ring posted: it carries a message, and it wakes who sleeps there
// needs: Linux 5.18; a message without a ring of one's own: 6.13
// try:   ./lab run 04-05; then add a third task, and see that the sum follows
#include <liburing.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

// What a CQE is about. An engine puts an address here: 01-core/16-ring.
enum : std::uint64_t { sent = 1, task = 2, stop = 3, answer = 4 };

io_uring_cqe next_cqe(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, nullptr, nullptr), "io_uring_enter");
  const io_uring_cqe copy = *cqe;
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

// [walk prepare]
// Two user_data: `what` and `value` are for the other side, `sent` comes back to us.
void prepare_message(io_uring& from, int ring_fd, std::uint64_t what, unsigned value) {
  io_uring_sqe* sqe = io_uring_get_sqe(&from);
  io_uring_prep_msg_ring(sqe, ring_fd, value, what, 0);
  io_uring_sqe_set_data64(sqe, sent);
}
// [/walk]

void send_one(io_uring& from, int ring_fd) {
  prepare_message(from, ring_fd, task, 7);
  const io_uring_cqe cqe = next_cqe(from);
  std::printf("  sender's CQE: user_data %llu, res %d (%s)\n", cqe.user_data, cqe.res,
              cqe.res == 0 ? "delivered" : std::strerror(-cqe.res));
}

// [walk work]
// A thread with a ring of its own. It sleeps in one place for whatever comes, also for messages.
void work(io_uring& ring, int boss_fd) {
  unsigned sum = 0;
  while (true) {
    const io_uring_cqe cqe = next_cqe(ring);
    if (cqe.user_data == stop) break;
    if (cqe.user_data != task) {
      lab::fail("a message for nobody: user_data " + std::to_string(cqe.user_data));
    }
    sum += static_cast<unsigned>(cqe.res);
  }
  prepare_message(ring, boss_fd, answer, sum);
  lab::need(next_cqe(ring).res, "the answer");
}
// [/walk]

void show_thread(io_uring& ring) {
  io_uring worker_ring;
  lab::need(io_uring_queue_init(8, &worker_ring, 0), "io_uring_queue_init");
  std::thread worker([&] { work(worker_ring, ring.ring_fd); });
  // [walk thread]
  prepare_message(ring, worker_ring.ring_fd, task, 20);
  prepare_message(ring, worker_ring.ring_fd, task, 22);
  prepare_message(ring, worker_ring.ring_fd, stop, 0);
  // Our own three CQEs and the answer: four, and the answer need not be the last.
  for (int count = 0; count < 4; ++count) {
    const io_uring_cqe cqe = next_cqe(ring);
    if (cqe.user_data == answer) std::printf("  20 and 22 make %d\n", cqe.res);
  }
  // [/walk]
  worker.join();
  io_uring_queue_exit(&worker_ring);
}

void show_full_queue(io_uring& from, io_uring& to) {
  // [walk full]
  int delivered = 0;
  for (int count = 0; count < 20; ++count) {
    prepare_message(from, to.ring_fd, task, 1);
    if (next_cqe(from).res == 0) ++delivered;
  }
  std::printf("  20 messages: %d delivered, %u in the queue, overflow flag %s\n", delivered,
              io_uring_cq_ready(&to), io_uring_cq_has_overflow(&to) ? "set" : "clear");
  int received = 0;
  for (; received < 20; ++received) next_cqe(to);
  // [/walk]
  std::printf("  received: %d\n", received);
}

// [walk without-ring]
// A register call takes the SQE itself. The caller needs no ring: its fd is -1.
void show_without_ring(io_uring& to) {
  io_uring_sqe sqe{};
  io_uring_prep_msg_ring(&sqe, to.ring_fd, 9, task, 0);
  const int res = io_uring_register(~0U, lab::compat::register_send_msg_ring, &sqe, 1);
  if (res == -EINVAL) return void(std::printf("skip a message without a ring: needs Linux 6.13\n"));
  lab::need(res, "IORING_REGISTER_SEND_MSG_RING");
  std::printf("a message without a ring\n  receiver's CQE: res %d\n", next_cqe(to).res);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring from, to;
  lab::need(io_uring_queue_init(8, &from, 0), "io_uring_queue_init");
  lab::need(io_uring_queue_init(4, &to, 0), "io_uring_queue_init");  // its CQ has 8 entries
  lesson.watch(to);

  std::printf("one message\n");
  send_one(from, to.ring_fd);
  const io_uring_cqe cqe = next_cqe(to);
  std::printf("  receiver's CQE: user_data %llu, res %d\n", cqe.user_data, cqe.res);
  std::printf("to a file that is no ring\n");
  send_one(from, STDOUT_FILENO);
  std::printf("to a thread that sleeps on its ring\n");
  show_thread(from);
  std::printf("into a queue of 8 entries\n");
  show_full_queue(from, to);
  show_without_ring(to);

  io_uring_queue_exit(&to);
  io_uring_queue_exit(&from);
  return lab::ok();
}
