// shows: reads whose end nobody reports: the kernel looks for it, on a drive with poll queues
// needs: Linux 5.1 and such a drive; hybrid polling: Linux 6.13
// try:   ./lab run 04-04; then give it a file on an NVMe drive or, as root, /dev/nvme0n1. It reads.
#include <fcntl.h>
#include <liburing.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "01-core/lesson.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned block_size = 4096;
constexpr int reads = 200;
alignas(block_size) std::array<char, block_size> block;

// [walk answer]
// A polled ring has no timeouts: the deadline is the program's own, so no call waits for a CQE.
// Each look enters the kernel, which asks the drive once. On a plain ring the thread sleeps.
int answer(io_uring& ring) {
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  const unsigned wait_for = (ring.flags & IORING_SETUP_IOPOLL) != 0 ? 0 : 1;
  lab::need(io_uring_submit_and_wait(&ring, wait_for), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring, &cqe) == -EAGAIN) {
    if (Clock::now() > deadline) lab::fail("no CQE within 5 s");
  }
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}
// [/walk]

// [walk read]
int read_once(io_uring& ring, int file) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, file, block.data(), block_size, 0);
  return answer(ring);
}
// [/walk]

int sleep_once(io_uring& ring) {
  __kernel_timespec moment{.tv_sec = 0, .tv_nsec = 1000};
  io_uring_prep_timeout(io_uring_get_sqe(&ring), &moment, 0, 0);
  return answer(ring);
}

const char* in_words(int res) { return res < 0 ? std::strerror(-res) : "works"; }

double cpu_us() {
  rusage usage{};
  lab::need_errno(getrusage(RUSAGE_SELF, &usage), "getrusage");
  const auto us = [](timeval time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// Of all drives, since the machine started: a line of this file has a number for each CPU.
long interrupts() {
  std::ifstream file("/proc/interrupts");
  long sum = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find("nvme") == std::string::npos && line.find("-req") == std::string::npos) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (long count = 0; words >> count;) sum += count;
  }
  return sum;
}

// True when most reads made an interrupt. They are counted for the whole machine, and a drive may
// answer several reads with one.
bool run(io_uring& ring, int file, const char* name, bool expected) {
  const long before = interrupts();
  const double cpu = cpu_us();
  const auto begin = Clock::now();
  for (int i = 0; i < reads; ++i) lab::need(read_once(ring, file), name);
  const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
  const double used = cpu_us() - cpu;
  const long made = interrupts() - before;
  lab::effect((made > reads / 2) == expected, std::string(name) + ": an interrupt for most reads",
              std::to_string(made) + " for " + std::to_string(reads), expected ? "yes" : "no");
  std::printf("# %s: %.0f us a read, %.0f us of CPU a read, %ld interrupts for %d reads\n", name,
              took.count() / reads, used / reads, made, reads);
  return made > reads / 2;
}

std::string temporary_file() {
  const std::string path = lab::temporary_folder() + "/file";
  std::ofstream(path) << std::string(block_size, 'x');
  const int file = lab::need_errno(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open");
  lab::need_errno(fsync(file), "fsync");
  close(file);
  return path;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[path]: a file or drive, only read (default: a temporary file)");
  const std::string path = argc > 1 ? argv[1] : temporary_file();
  const int cached = lab::need_errno(open(path.c_str(), O_RDONLY | O_CLOEXEC), path.c_str());
  const int direct = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (direct < 0) lab::skip("needs a file system with O_DIRECT: set TMPDIR to a disk");

  // [walk cases]
  io_uring polled;
  lab::need(io_uring_queue_init(8, &polled, IORING_SETUP_IOPOLL), "io_uring_queue_init");
  lesson.watch(polled);
  std::printf("polled ring, a timeout: %s\n", in_words(sleep_once(polled)));
  std::printf("polled ring, a read through the cache: %s\n", in_words(read_once(polled, cached)));
  const int res = read_once(polled, direct);
  std::printf("polled ring, a direct read: %s\n", in_words(res));
  if (res == -EOPNOTSUPP) lab::skip("needs a drive with poll queues: this one's CQE is EOPNOTSUPP");
  lab::need(res, "the direct read");
  // [/walk]

  // [walk three]
  io_uring plain;
  lab::need(io_uring_queue_init(8, &plain, 0), "io_uring_queue_init");
  run(plain, direct, "plain", true);
  // Without poll queues Linux 6.12 says so in the CQE. Linux 6.1 is silent, and interrupts come.
  if (run(polled, direct, "polled", false))
    lab::skip("needs a drive with poll queues: interrupts came");

  io_uring hybrid;
  const unsigned flags = IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL;
  const int made = io_uring_queue_init(8, &hybrid, flags);
  if (made < 0) std::printf("skip hybrid: needs Linux 6.13\n");
  if (made >= 0) {
    run(hybrid, direct, "hybrid", false);
    io_uring_queue_exit(&hybrid);
  }
  // [/walk]
  io_uring_queue_exit(&plain);
  io_uring_queue_exit(&polled);
  close(direct);
  close(cached);
  return lab::ok();
}
