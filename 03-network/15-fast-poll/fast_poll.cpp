// shows: 64 receives that wait at the same time, and no thread that waits for them
// needs: Linux 5.19 (POLL_FIRST, SOCK_NONEMPTY)
// try:   ./lab run 03-15; ./lab run 03-15 1000
#include <liburing.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

struct Waiting {
  int server = -1;
  int client = -1;
  char byte = 0;
};

int worker_threads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    count += name.rfind("iou-wrk", 0) == 0 ? 1 : 0;
  }
  return count;
}

// [walk start]
void start(io_uring& ring, Waiting& one, unsigned short how) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, one.server, &one.byte, 1, 0);
  sqe->ioprio = how;
  io_uring_sqe_set_data(sqe, &one);
}
// [/walk]

io_uring_cqe next_cqe(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  const io_uring_cqe copy{.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

// [walk wait]
// All wait, the last one gets its byte first. Each answer carries its owner.
void wait_for_all(io_uring& ring, std::vector<Waiting>& all, unsigned short how, const char* name) {
  for (Waiting& one : all) {
    one.byte = 0;
    start(ring, one, how);
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("%s: %zu receives wait, %u answers, %d worker threads\n", name, all.size(),
              io_uring_cq_ready(&ring), worker_threads());
  for (std::size_t index = all.size(); index-- > 0;) lab::send_all(all[index].client, "x");
  unsigned right = 0;
  for (std::size_t count = 0; count < all.size(); ++count) {
    const io_uring_cqe cqe = next_cqe(ring);
    const auto* one = reinterpret_cast<const Waiting*>(cqe.user_data);
    right += cqe.res == 1 && one->byte == 'x' ? 1U : 0U;
  }
  std::printf("  answered: %s\n", right == all.size() ? "all" : "not all");
}
// [/walk]

// [walk left]
// Did the receive leave something behind? Then the next one need not wait.
void what_is_left(io_uring& ring, Waiting& one) {
  lab::send_all(one.client, "two");
  for (int count = 0; count < 3; ++count) {
    start(ring, one, 0);
    const bool left = (next_cqe(ring).flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
    std::printf("one byte received, more in the socket: %s\n", left ? "yes" : "no");
  }
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[connections]: how many wait (default 64)");
  const auto count = static_cast<unsigned>(lesson.argument(1, 64, 1, 4000));
  // Each connection has two descriptors here; the usual soft limit is 1024.
  rlimit limit{};
  lab::need_errno(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  lab::need_errno(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  io_uring ring;
  lab::need(io_uring_queue_init(count, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  std::vector<Waiting> all(count);
  for (Waiting& one : all) {
    const auto [server, client] = lab::connected_pair();
    one.server = server;
    one.client = client;
  }

  wait_for_all(ring, all, 0, "try first");
  wait_for_all(ring, all, IORING_RECVSEND_POLL_FIRST, "poll first");
  what_is_left(ring, all[0]);

  for (const Waiting& one : all) {
    close(one.server);
    close(one.client);
  }
  io_uring_queue_exit(&ring);
  return lab::ok();
}
