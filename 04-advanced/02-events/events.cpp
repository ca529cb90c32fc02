// shows: a ring inside an epoll loop, by an eventfd and by its own fd; an epoll inside a ring
// needs: Linux 5.6; DEFER_TASKRUN: 6.1; epoll_wait as an operation: 6.15
// try:   ./lab run 04-02; then submit the 3 NOPs one by one, and see what the counter says
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

struct Pipe {
  Pipe() { lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2"); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void put_byte() const { lab::need_errno(static_cast<int>(write(ends[1], "x", 1)), "write"); }

  int ends[2]{};
};

// [walk epoll]
int epoll_with(int fd) {
  const int epoll_fd = lab::need_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  lab::need_errno(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  return epoll_fd;
}
// [/walk]

int ready_within(int epoll_fd, int milliseconds) {
  epoll_event events[4];
  return lab::need_errno(epoll_wait(epoll_fd, events, 4, milliseconds), "epoll_wait");
}

// [walk show]
// Arms a read on `ring`, lets epoll look at `fd`, and only then the byte comes.
void show(io_uring& ring, int fd, const char* what) {
  const Pipe pipe;
  const int epoll_fd = epoll_with(fd);
  char byte = 0;
  io_uring_prep_read(io_uring_get_sqe(&ring), pipe.ends[0], &byte, 1, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  const int before = ready_within(epoll_fd, 0);
  pipe.put_byte();
  const int after = ready_within(epoll_fd, 50);
  std::printf("  %s: epoll says %d, then %d; CQEs %u", what, before, after,
              io_uring_cq_ready(&ring));
  lab::need(io_uring_get_events(&ring), "io_uring_get_events");
  std::printf(", after io_uring_get_events %u\n", io_uring_cq_ready(&ring));
  io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
  close(epoll_fd);
}
// [/walk]

// [walk both]
void show_both(io_uring& ring) {
  const int signal_fd = lab::need_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  lab::need(io_uring_register_eventfd(&ring, signal_fd), "io_uring_register_eventfd");
  show(ring, signal_fd, "its eventfd");
  lab::need(io_uring_unregister_eventfd(&ring), "io_uring_unregister_eventfd");
  close(signal_fd);
  show(ring, ring.ring_fd, "its own fd ");
}
// [/walk]

// [walk on-signal]
// First the counter, then the queue. The other way around, a CQE that comes between the two stays
// in the queue, and its signal is gone.
void on_signal(io_uring& ring, int signal_fd) {
  std::uint64_t counter = 0;
  lab::need_errno(static_cast<int>(read(signal_fd, &counter, sizeof counter)), "read");
  const unsigned count = io_uring_cq_ready(&ring);
  io_uring_cq_advance(&ring, count);
  std::printf("  3 NOPs: the counter says %u, CQEs taken %u, left %u\n",
              static_cast<unsigned>(counter), count, io_uring_cq_ready(&ring));
}
// [/walk]

void submit_nops(io_uring& ring, int count) {
  for (int nop = 0; nop < count; ++nop) io_uring_prep_nop(io_uring_get_sqe(&ring));
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}

void show_counter(io_uring& ring) {
  const int signal_fd = lab::need_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  const int epoll_fd = epoll_with(signal_fd);
  lab::need(io_uring_register_eventfd(&ring, signal_fd), "io_uring_register_eventfd");
  submit_nops(ring, 3);
  on_signal(ring, signal_fd);
  std::printf("  epoll says %d\n", ready_within(epoll_fd, 0));

  // [walk toggle]
  // A flag in the memory that we share with the kernel: no system call.
  lab::need(io_uring_cq_eventfd_toggle(&ring, false), "io_uring_cq_eventfd_toggle");
  submit_nops(ring, 1);
  // [/walk]
  std::printf("  switched off, 1 NOP: epoll says %d\n", ready_within(epoll_fd, 0));
  lab::need(io_uring_unregister_eventfd(&ring), "io_uring_unregister_eventfd");
  io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
  close(epoll_fd);
  close(signal_fd);
}

int next_res(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

void show_epoll_in_ring(io_uring& ring) {
  const Pipe pipe;
  const int epoll_fd = epoll_with(pipe.ends[0]);
  pipe.put_byte();

  // [walk epoll-in-ring]
  // An epoll is a file, and a file can be polled. Then epoll_wait has something to say at once.
  io_uring_prep_poll_add(io_uring_get_sqe(&ring), epoll_fd, POLLIN);
  std::printf("  poll: readable %s, then epoll_wait says %d\n",
              (next_res(ring) & POLLIN) != 0 ? "yes" : "no", ready_within(epoll_fd, 0));

  // The operation brings the events themselves. liburing has a helper for it since 2.10.
  epoll_event events[4]{};
  io_uring_prep_rw(lab::compat::op_epoll_wait, io_uring_get_sqe(&ring), epoll_fd, events, 4, 0);
  const int res = next_res(ring);
  // [/walk]
  if (res == -EINVAL) {
    std::printf("skip epoll_wait as an operation: needs Linux 6.15\n");
  } else {
    std::printf("  epoll_wait: events %d, the first is of our pipe: %s\n",
                lab::need(res, "EPOLL_WAIT"), events[0].data.fd == pipe.ends[0] ? "yes" : "no");
  }
  close(epoll_fd);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring plain, deferring;
  lab::need(io_uring_queue_init(8, &plain, 0), "io_uring_queue_init");
  lesson.watch(plain);

  std::printf("a plain ring in epoll\n");
  show_both(plain);

  const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int made = io_uring_queue_init(8, &deferring, flags);
  if (made == -EINVAL) {
    std::printf("skip a ring with DEFER_TASKRUN: needs Linux 6.1\n");
  } else {
    lab::need(made, "io_uring_queue_init");
    std::printf("a ring with DEFER_TASKRUN in epoll\n");
    show_both(deferring);
  }

  std::printf("what the eventfd counts\n");
  show_counter(plain);
  std::printf("an epoll in the ring\n");
  show_epoll_in_ring(plain);

  if (made == 0) io_uring_queue_exit(&deferring);
  io_uring_queue_exit(&plain);
  return lab::ok();
}
