// shows: a drained request waits for all before it, and holds up all after it; a skipped CQE hides
//        a short send; the one send where nothing is hidden; and that the two flags do not mix
// needs: Linux 5.17
// try:   ./lab run 01-10
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned marker = 99;

void nop(io_uring& ring, unsigned user_data, unsigned flags) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_flags(sqe, flags);
  io_uring_sqe_set_data64(sqe, user_data);
}

// Submits what is prepared, and takes one CQE.
io_uring_cqe next_cqe(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, nullptr, nullptr), "io_uring_enter");
  const io_uring_cqe copy = *cqe;
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

// [walk order]
// Request 1 takes 20 ms, 2 and 3 take no time. Prints the order in which they end.
void show_order(io_uring& ring, unsigned flags_of_two, const char* what) {
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 20'000'000};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout(sqe, &time, 0, 0);
  io_uring_sqe_set_data64(sqe, 1);
  nop(ring, 2, flags_of_two);
  nop(ring, 3, 0);
  std::printf("%-20s", what);
  for (int count = 0; count < 3; ++count) std::printf(" %llu", next_cqe(ring).user_data);
  std::puts("");
}
// [/walk]

// [walk outcome]
// Submits one prepared request that ends at once, and a marker after it. Returns the res of the
// CQE that came before the marker's; `otherwise` when none came.
int outcome(io_uring& ring, int otherwise) {
  nop(ring, marker, 0);
  for (int res = otherwise;;) {
    const io_uring_cqe cqe = next_cqe(ring);
    if (cqe.user_data == marker) return res;
    res = cqe.res;
  }
}
// [/walk]

// [walk send]
// With the flag no CQE means: it succeeded. So that is what the program has to believe.
void send_quietly(io_uring& ring, int send_flags, std::size_t size, const char* what) {
  int pair[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
  const std::vector<char> bytes(size);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send(sqe, pair[0], bytes.data(), size, send_flags);
  io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
  const int believed = lab::need(outcome(ring, static_cast<int>(size)), "send");

  std::vector<char> arrived(size);
  const ssize_t count = recv(pair[1], arrived.data(), size, MSG_DONTWAIT);
  const char* verdict = believed == count ? "right" : "WRONG";
  std::printf("%-26s believes that %s was sent: %s\n", what,
              believed == static_cast<int>(size) ? "all" : "a part", verdict);
  for (const int fd : pair) close(fd);
}
// [/walk]

// Batches of 64 NOPs of which the last one's CQE is waited for: the fastest of 2000, per NOP. The
// two kinds take turns, so that what else the machine does meets both.
void show_costs(io_uring& ring) {
  double best_ns[]{1e9, 1e9};
  for (unsigned round = 0; round < 4000; ++round) {
    const unsigned skip = round % 2;
    const auto begin = std::chrono::steady_clock::now();
    for (int count = 1; count < 64; ++count) nop(ring, 0, skip != 0 ? IOSQE_CQE_SKIP_SUCCESS : 0);
    outcome(ring, 0);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    best_ns[skip] = std::min(best_ns[skip], took.count() / 64);
  }
  std::printf("# a NOP with its CQE: %.1f ns, without: %.1f ns\n", best_ns[0], best_ns[1]);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(64, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  if ((ring.features & IORING_FEAT_CQE_SKIP) == 0) lab::skip("needs Linux 5.17: CQE_SKIP");

  show_order(ring, 0, "without a drain:");
  show_order(ring, IOSQE_IO_DRAIN, "2 is drained:");
  show_costs(ring);

  // [walk cases]
  constexpr std::size_t large = 4 << 20, small = 1000;
  send_quietly(ring, 0, large, "plain send:");
  send_quietly(ring, MSG_DONTWAIT, large, "MSG_DONTWAIT:");
  constexpr int sound = MSG_DONTWAIT | MSG_WAITALL;
  send_quietly(ring, sound, large, "with MSG_WAITALL besides:");
  send_quietly(ring, sound, small, "the same, 1000 bytes:");

  // Draining counts CQEs, so a ring that has skipped one never drains again.
  nop(ring, 0, IOSQE_IO_DRAIN);
  std::printf("a drain on this ring: -%s\n", strerrorname_np(-next_cqe(ring).res));
  // [/walk]
  io_uring_queue_exit(&ring);
  return lab::ok();
}
