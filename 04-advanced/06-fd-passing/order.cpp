// shows: in which order descriptors and data messages arrive
// needs: Linux 6.0; a target with DEFER_TASKRUN: 6.1
// try:   ./lab run 04-06 order; then make the target COOP_TASKRUN, and see which order it has
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <future>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned pairs = 3;
constexpr std::uint64_t descriptor = 100;  // user_data of a descriptor: this and its number

struct Target {
  std::promise<int> ring_fd;
  std::promise<void> all_sent;
  std::string arrived;
  unsigned count = 0;
};

// A busy thread: it looks into its queue when everything has been sent.
void run(Target& target, unsigned flags) {
  io_uring ring;
  lab::need(io_uring_queue_init(16, &ring, flags), "io_uring_queue_init");
  lab::need(io_uring_register_files_sparse(&ring, pairs), "io_uring_register_files_sparse");
  target.ring_fd.set_value(ring.ring_fd);
  target.all_sent.get_future().wait();
  for (; target.count < 2 * pairs; ++target.count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    const bool is_descriptor = cqe->user_data >= descriptor;
    target.arrived += is_descriptor ? " fd" : " data";
    target.arrived += std::to_string(cqe->user_data % descriptor);
    io_uring_cqe_seen(&ring, cqe);
  }
  io_uring_queue_exit(&ring);
}

// [walk pairs]
// fd1, data1, fd2, data2, fd3, data3: all of them with one submit.
void send_pairs(io_uring& ring, int target_fd) {
  for (unsigned number = 1; number <= pairs; ++number) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_msg_ring_fd_alloc(sqe, target_fd, 0, descriptor + number, 0);
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_msg_ring(sqe, target_fd, 0, number, 0);
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}
// [/walk]

void show(io_uring& ring, const char* what, unsigned flags) {
  Target target;
  std::thread thread([&] { run(target, flags); });
  send_pairs(ring, target.ring_fd.get_future().get());
  target.all_sent.set_value();
  thread.join();
  for (unsigned count = 0; count < 2 * pairs; ++count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    lab::need(cqe->res, "MSG_RING");
    io_uring_cqe_seen(&ring, cqe);
  }
  std::printf("to %s: %u messages arrived\n", what, target.count);
  std::printf("# to %s:%s\n", what, target.arrived.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(16, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int file = STDIN_FILENO;
  lab::need(io_uring_register_files(&ring, &file, 1), "io_uring_register_files");

  show(ring, "a plain ring", 0);
  show(ring, "a ring with DEFER_TASKRUN", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
