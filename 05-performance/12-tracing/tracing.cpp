// shows: what /proc/PID/fdinfo says of a ring, step by step, while the ring's state is known
// needs: Linux 5.16
// try:   ./lab run 05-12; then submit the poll only after the RECV line was printed
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

/// What stands behind each name ("SqHead" -> 3), and how many lines each list has.
using Fdinfo = std::map<std::string, int>;

// [walk once]
// A line that begins with a blank belongs to the list above it.
Fdinfo read_once(int ring_fd) {
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(ring_fd));
  Fdinfo info;
  std::string list;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == ' ') {
      ++info[list];
      continue;
    }
    const std::size_t colon = line.find(':');
    list = line.substr(0, colon) + " lines";
    info[line.substr(0, colon)] = std::atoi(line.c_str() + colon + 1);
  }
  return info;
}
// [/walk]

// [walk again]
// The kernel only tries to take the ring's lock. While another thread has it, the ring's part is
// missing from the file, and that means "ask again", not "empty".
Fdinfo read_fdinfo(int ring_fd, int& repeated) {
  for (;;) {
    Fdinfo info = read_once(ring_fd);
    if (info.contains("SqHead")) return info;
    ++repeated;
  }
}
// [/walk]

void show(const io_uring& ring, const char* what) {
  int repeated = 0;
  Fdinfo info = read_fdinfo(ring.ring_fd, repeated);
  std::printf("%-27s SqHead %2d  SqTail %2d  CqHead %2d  CqTail %2d", what, info["SqHead"],
              info["SqTail"], info["CqHead"], info["CqTail"]);
  if (info["PollList lines"] != 0) std::printf("  polls %d", info["PollList lines"]);
  if (info["CqOverflowList lines"] != 0) {
    std::printf("  overflowed %d", info["CqOverflowList lines"]);
  }
  std::printf("\n");
}

void submit_nops(io_uring& ring, int count) {
  for (int i = 0; i < count; ++i) {
    io_uring_prep_nop(io_uring_get_sqe(&ring));
    lab::need(io_uring_submit(&ring), "io_uring_submit");
  }
}

// Many readings while another thread keeps the ring's lock busy.
void read_under_load() {
  io_uring ring;
  lab::need(io_uring_queue_init(256, &ring, 0), "io_uring_queue_init");
  std::atomic<bool> stop = false;
  std::thread submitter([&] {
    while (!stop) {
      for (int i = 0; i < 256; ++i) io_uring_prep_nop(io_uring_get_sqe(&ring));
      lab::need(io_uring_submit(&ring), "io_uring_submit");
      io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // now it runs
  int repeated = 0;
  for (int i = 0; i < 100; ++i) read_fdinfo(ring.ring_fd, repeated);
  stop = true;
  submitter.join();
  io_uring_queue_exit(&ring);
  std::printf("100 readings under load: each shows the ring in the end\n");
  std::printf("# readings without the ring's part, repeated: %d\n", repeated);
}

// The kernel's threads for a ring are threads of the process. Their names end with its number.
bool has_thread(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string comm;
    if (std::getline(file, comm) && comm == name) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE;
  params.cq_entries = 4;
  lab::need(io_uring_queue_init_params(4, &ring, &params), "io_uring_queue_init_params");
  lesson.watch(ring);
  // [walk first]
  show(ring, "new");

  io_uring_prep_nop(io_uring_get_sqe(&ring));
  show(ring, "1 NOP prepared");
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  show(ring, "submitted");
  io_uring_cq_advance(&ring, 1);
  show(ring, "its CQE read");
  // [/walk]

  // Neither socket nor pipe will ever have anything to read.
  std::array<int, 2> sockets{};
  std::array<int, 2> pipe_ends{};
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()), "socketpair");
  lab::need_errno(pipe(pipe_ends.data()), "pipe");
  std::array<char, 16> buffer{};
  // [walk waiting]
  io_uring_prep_recv(io_uring_get_sqe(&ring), sockets[0], buffer.data(), buffer.size(), 0);
  io_uring_prep_poll_add(io_uring_get_sqe(&ring), pipe_ends[0], POLLIN);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  show(ring, "RECV and POLL_ADD submitted");
  // [/walk]

  // [walk overflow]
  submit_nops(ring, 6);
  show(ring, "6 NOPs into a CQ of 4");
  io_uring_cq_advance(&ring, 4);
  lab::need(io_uring_get_events(&ring), "io_uring_get_events");
  io_uring_cq_advance(&ring, 2);
  show(ring, "all CQEs read");
  // [/walk]
  io_uring_queue_exit(&ring);
  read_under_load();

  io_uring polled;
  lab::need(io_uring_queue_init(4, &polled, IORING_SETUP_SQPOLL), "io_uring_queue_init");
  lesson.watch(polled);
  while (!has_thread("iou-sqp-" + std::to_string(getpid()))) {
    std::this_thread::yield();  // it names itself when it begins to run
  }
  std::printf("SQPOLL: one more thread, named iou-sqp- and the process's number\n");
  io_uring_queue_exit(&polled);
  for (const int fd : {sockets[0], sockets[1], pipe_ends[0], pipe_ends[1]}) close(fd);
  return lab::ok();
}
