// shows: which operations run on worker threads of the kernel, and how many threads there may be
// needs: Linux 5.15 (a limit for the workers)
// try:   ./lab run 02-13; then set the limit to 1 and look at the figures
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

// [walk workers]
// The workers are threads of this process, with a name of their own: iou-wrk and our number.
unsigned worker_threads() {
  unsigned count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name.rfind("iou-wrk", 0) == 0) ++count;
  }
  return count;
}
// [/walk]

void submit(io_uring& ring) { lab::need(io_uring_submit(&ring), "io_uring_submit"); }

// Also submits what is prepared.
void collect(io_uring& ring, unsigned count) {
  for (unsigned index = 0; index < count; ++index) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, nullptr, nullptr), "io_uring_enter");
    lab::need(cqe->res, "an operation");
    io_uring_cqe_seen(&ring, cqe);
  }
}

struct Pipe {
  Pipe() { lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2"); }
  ~Pipe() {
    for (const int fd : ends) close(fd);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int ends[2];
};

// [walk reads]
// A pipe without data can be polled: the read is put aside, and no thread waits.
void reads_that_wait(io_uring& ring, unsigned count) {
  const Pipe pipe;
  char bytes[64];
  for (unsigned index = 0; index < count; ++index) {
    io_uring_prep_read(io_uring_get_sqe(&ring), pipe.ends[0], &bytes[index], 1, 0);
  }
  submit(ring);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::printf("%u reads of a pipe wait: %u worker threads\n", count, worker_threads());
  lab::need_errno(static_cast<int>(write(pipe.ends[1], bytes, count)), "write");
  collect(ring, count);
}
// [/walk]

// [walk splices]
// A splice has two sides and cannot be polled: each one that waits needs a thread.
void splices_that_wait(io_uring& ring, unsigned count, unsigned limit) {
  const Pipe from, to;
  for (unsigned index = 0; index < count; ++index) {
    io_uring_prep_splice(io_uring_get_sqe(&ring), from.ends[0], -1, to.ends[1], -1, 1, 0);
  }
  submit(ring);
  // They are made one by one. Once the limit is reached, there is time for one too many.
  while (worker_threads() < limit) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::printf("%u splices wait: %u worker threads\n", count, worker_threads());
  const char bytes[64] = {};
  lab::need_errno(static_cast<int>(write(from.ends[1], bytes, count)), "write");
  collect(ring, count);
}
// [/walk]

// [walk each-other]
// The first splice waits for what the second one brings. Both need a thread at the same time.
void splices_that_need_each_other(io_uring& ring) {
  const Pipe source, middle, target;
  lab::need_errno(static_cast<int>(write(source.ends[1], "x", 1)), "write");
  io_uring_prep_splice(io_uring_get_sqe(&ring), middle.ends[0], -1, target.ends[1], -1, 1, 0);
  submit(ring);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  io_uring_prep_splice(io_uring_get_sqe(&ring), source.ends[0], -1, middle.ends[1], -1, 1, 0);
  collect(ring, 2);
  std::printf("two splices that need each other: done\n");
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[limit]: worker threads for operations that wait (default 4)");
  const auto limit = static_cast<unsigned>(lesson.argument(1, 4, 1, 16));
  io_uring ring;
  lab::need(io_uring_queue_init(64, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  std::printf("before anything: %u worker threads\n", worker_threads());

  io_uring_prep_nop(io_uring_get_sqe(&ring));
  collect(ring, 1);
  std::printf("a NOP: %u worker threads\n", worker_threads());
  reads_that_wait(ring, 16);

  // [walk limits]
  // Bounded workers serve files and disks, unbounded ones whatever may wait forever. 0 asks only.
  unsigned limits[2] = {0, limit};
  lab::need(io_uring_register_iowq_max_workers(&ring, limits), "setting the limits");
  // [/walk]
  std::printf("# the limits before: %u bounded, %u unbounded\n", limits[0], limits[1]);
  splices_that_wait(ring, 16, limit);
  splices_that_need_each_other(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
