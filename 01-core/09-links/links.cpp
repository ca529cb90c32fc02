// shows: requests that wait for the one before them: where a chain ends, what breaks it, and what a
//        link timeout covers
// needs: Linux 5.6
// try:   write down what you expect of each line, then ./lab run 01-09
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned soft = IOSQE_IO_LINK, hard = IOSQE_IO_HARDLINK, last = 0;

// A stream with five bytes in it and more to come: a pipe, or a pair of sockets.
struct Stream {
  explicit Stream(bool is_pipe) {
    const int res = is_pipe ? pipe(end.data()) : socketpair(AF_UNIX, SOCK_STREAM, 0, end.data());
    lab::need_errno(res, "pipe, socketpair");
    lab::need_errno(static_cast<int>(write(end[1], "five!", 5)), "write");
  }
  ~Stream() {
    close(end[0]);
    close(end[1]);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::array<int, 2> end{};
  std::array<char, 8> buffer{};
};

// [walk tie]
// `link` ties the request to the next one. After the prep, which may set or clear flags.
void tie(io_uring_sqe* sqe, unsigned place, unsigned link) {
  io_uring_sqe_set_flags(sqe, link);
  io_uring_sqe_set_data64(sqe, place);
}
// [/walk]

void nop(io_uring& ring, unsigned place, unsigned link) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  tie(sqe, place, link);
}

// Fails at once: there is no file -1.
void bad_read(io_uring& ring, unsigned place, unsigned link) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, -1, nullptr, 0, 0);
  tie(sqe, place, link);
}

// [walk show]
// Submits, and prints the results in the order of the SQEs.
void show(io_uring& ring, unsigned count, const char* what) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::array<int, 4> res{};
  for (unsigned seen = 0; seen < count; ++seen) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    res.at(io_uring_cqe_get_data64(cqe)) = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  std::printf("%-36s", what);
  for (unsigned place = 0; place < count; ++place) {
    if (res[place] < 0) {
      std::printf("  -%s", strerrorname_np(-res[place]));
    } else {
      std::printf("  %d", res[place]);
    }
  }
  std::puts("");
}
// [/walk]

// [walk ends]
void ends_of_a_chain(io_uring& ring) {
  bad_read(ring, 0, soft);
  nop(ring, 1, soft);
  nop(ring, 2, last);
  show(ring, 3, "bad -> nop -> nop");
  bad_read(ring, 0, hard);
  nop(ring, 1, hard);
  nop(ring, 2, last);
  show(ring, 3, "bad => nop => nop");
  bad_read(ring, 0, soft);
  nop(ring, 1, last);
  nop(ring, 2, soft);
  nop(ring, 3, last);
  show(ring, 4, "bad -> nop, nop -> nop");
  bad_read(ring, 0, soft);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  nop(ring, 1, last);
  show(ring, 2, "bad -> (submit) nop");
}
// [/walk]

// [walk short]
// Eight bytes are asked for and five are there.
void short_counts(io_uring& ring) {
  Stream file(true), socket(false), ended(false);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, file.end[0], file.buffer.data(), 8, 0);
  tie(sqe, 0, soft);
  nop(ring, 1, last);
  show(ring, 2, "short read -> nop");
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, socket.end[0], socket.buffer.data(), 8, 0);
  tie(sqe, 0, soft);
  nop(ring, 1, last);
  show(ring, 2, "short recv -> nop");
  shutdown(ended.end[1], SHUT_WR);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, ended.end[0], ended.buffer.data(), 8, MSG_WAITALL);
  tie(sqe, 0, soft);
  nop(ring, 1, last);
  show(ring, 2, "short recv with MSG_WAITALL -> nop");
}
// [/walk]

// [walk timeouts]
// Twice a limit of 10 ms. The first comes after a request that takes 5 s. The second comes after a
// quick one, and the slow one is further ahead.
void link_timeouts(io_uring& ring) {
  __kernel_timespec very_slow{.tv_sec = 5, .tv_nsec = 0};
  __kernel_timespec slow{.tv_sec = 0, .tv_nsec = 30'000'000};
  __kernel_timespec limit{.tv_sec = 0, .tv_nsec = 10'000'000};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout(sqe, &very_slow, 0, 0);
  tie(sqe, 0, soft);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_link_timeout(sqe, &limit, 0);
  tie(sqe, 1, last);
  show(ring, 2, "5 s -> link timeout");
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout(sqe, &slow, 0, 0);
  tie(sqe, 0, hard);
  nop(ring, 1, soft);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_link_timeout(sqe, &limit, 0);
  tie(sqe, 2, last);
  show(ring, 3, "30 ms => nop -> link timeout");
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  ends_of_a_chain(ring);
  short_counts(ring);
  link_timeouts(ring);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
