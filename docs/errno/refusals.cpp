// shows: what set-up, enter and register refuse: the rows of docs/errno.md that have no CQE
// needs: Linux 6.1
// try:   build/release/bin/errno-refusals
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include "docs/errno/rows.hpp"

namespace {

using lab::row;
using lab::SmallRing;

struct Wish {
  unsigned entries = 8;
  unsigned flags = 0;
  unsigned cq_entries = 0;
  int attach_to = 0;
  unsigned cpu = 0;
};

int set_up(const Wish& wish) {
  io_uring ring;
  io_uring_params params{};
  params.flags = wish.flags;
  params.cq_entries = wish.cq_entries;
  params.wq_fd = static_cast<unsigned>(wish.attach_to);
  params.sq_thread_cpu = wish.cpu;
  const int res = io_uring_queue_init_params(wish.entries, &ring, &params);
  if (res == 0) io_uring_queue_exit(&ring);
  return res;
}

int set_up_without_descriptors() {
  rlimit limit{};
  lab::need_errno(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  lab::need_errno(setrlimit(RLIMIT_NOFILE, &none), "setrlimit");
  const int res = set_up({});
  lab::need_errno(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  return res;
}

void setup_rows(int pipe_end) {
  const unsigned defer = IORING_SETUP_DEFER_TASKRUN;
  const unsigned sqpoll = IORING_SETUP_SQPOLL;
  const long raw = syscall(SYS_io_uring_setup, 8, nullptr);
  row("set-up: no parameters", raw < 0 ? -errno : 0);
  row("set-up: 0 entries", set_up({.entries = 0}));
  row("set-up: 32769 entries", set_up({.entries = 32769}));
  row("set-up: a CQ of 4 for an SQ of 8", set_up({.flags = IORING_SETUP_CQSIZE, .cq_entries = 4}));
  row("set-up: an unknown flag", set_up({.flags = 1U << 30}));
  row("set-up: DEFER_TASKRUN alone", set_up({.flags = defer}));
  row("set-up: TASKRUN_FLAG alone", set_up({.flags = IORING_SETUP_TASKRUN_FLAG}));
  row("set-up: SQPOLL and DEFER_TASKRUN",
      set_up({.flags = sqpoll | defer | IORING_SETUP_SINGLE_ISSUER}));
  row("set-up: SQPOLL and COOP_TASKRUN", set_up({.flags = sqpoll | IORING_SETUP_COOP_TASKRUN}));
  row("set-up: SQ_AFF alone", set_up({.flags = IORING_SETUP_SQ_AFF}));
  row("set-up: SQ_AFF, no such CPU", set_up({.flags = sqpoll | IORING_SETUP_SQ_AFF, .cpu = 9999}));
  row("set-up: ATTACH_WQ to a pipe",
      set_up({.flags = IORING_SETUP_ATTACH_WQ, .attach_to = pipe_end}));
  row("set-up: ATTACH_WQ to nothing", set_up({.flags = IORING_SETUP_ATTACH_WQ, .attach_to = 9999}));
  row("set-up: no descriptor left", set_up_without_descriptors());
}

// The alarm rings every 20 ms: the first may come before the wait has begun. Its handler only ends
// waits.
void ring_the_alarm() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  lab::need_errno(sigaction(SIGALRM, &action, nullptr), "sigaction");
  ualarm(20'000, 20'000);
}

int submit_nop(SmallRing& one) {
  io_uring_prep_nop(one.sqe());
  return io_uring_submit(&one.ring);
}

void enter_rows(int pipe_end) {
  SmallRing plain;
  const auto fd = static_cast<unsigned>(plain.ring.ring_fd);
  io_uring_cqe* cqe = nullptr;
  row("enter: descriptor not open", io_uring_enter(9999, 0, 0, 0, nullptr));
  row("enter: a pipe", io_uring_enter(static_cast<unsigned>(pipe_end), 0, 0, 0, nullptr));
  row("enter: an unknown flag", io_uring_enter(fd, 0, 0, 1U << 20, nullptr));
  row("enter: no such registered ring",
      io_uring_enter(5, 0, 0, IORING_ENTER_REGISTERED_RING, nullptr));
  row("enter: the mask's address is wrong",
      io_uring_enter2(fd, 0, 1, IORING_ENTER_GETEVENTS, reinterpret_cast<sigset_t*>(8), 8));
  row("enter: the extended argument's size is wrong",
      io_uring_enter2(fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, nullptr, 5));
  row("peek: nothing there", io_uring_peek_cqe(&plain.ring, &cqe));
  ring_the_alarm();
  row("wait: a signal", io_uring_wait_cqe(&plain.ring, &cqe));
  io_uring_prep_nop(plain.sqe());
  row("submit and wait for 2: a signal after 1", io_uring_submit_and_wait(&plain.ring, 2));
  ualarm(0, 0);

  SmallRing disabled(IORING_SETUP_R_DISABLED);
  row("submit: a disabled ring", submit_nop(disabled));
  SmallRing single(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  std::thread([&single] {
    row("submit: SINGLE_ISSUER, another thread", submit_nop(single));
    row("get_events: DEFER_TASKRUN, another thread", io_uring_get_events(&single.ring));
    row("register: SINGLE_ISSUER, another thread", io_uring_register_files_sparse(&single.ring, 1));
  }).join();
}

void register_rows(int pipe_end) {
  static std::array<char, 4096> page;
  SmallRing one, other;
  const auto fd = static_cast<unsigned>(one.ring.ring_fd);
  const int not_open = 9999;
  row("register: unknown", io_uring_register(fd, 9999, nullptr, 0));
  row("register: a pipe",
      io_uring_register(static_cast<unsigned>(pipe_end), IORING_REGISTER_PROBE, nullptr, 0));
  row("unregister files: none", io_uring_unregister_files(&one.ring));
  row("unregister buffers: none", io_uring_unregister_buffers(&one.ring));
  row("files: a table", io_uring_register_files_sparse(&one.ring, 4));
  row("files: a second table", io_uring_register_files_sparse(&one.ring, 4));
  row("files: one is not open", io_uring_register_files(&other.ring, &not_open, 1));
  row("files: update, not open", io_uring_register_files_update(&one.ring, 0, &not_open, 1));
  row("files: update behind the end", io_uring_register_files_update(&one.ring, 4, &pipe_end, 1));
  row("files: update, the ring itself",
      io_uring_register_files_update(&one.ring, 0, &one.ring.ring_fd, 1));
  row("files: a table of 2^30", io_uring_register_files_sparse(&other.ring, 1U << 30));

  iovec buffer{.iov_base = page.data(), .iov_len = page.size()};
  const std::vector<iovec> many(16385, buffer);
  row("buffers: 16385", io_uring_register_buffers(&one.ring, many.data(), 16385));
  row("buffers: one", io_uring_register_buffers(&one.ring, &buffer, 1));
  row("buffers: once more", io_uring_register_buffers(&one.ring, &buffer, 1));
  buffer.iov_len = 0;
  row("buffers: length 0", io_uring_register_buffers(&other.ring, &buffer, 1));
  buffer = {.iov_base = reinterpret_cast<void*>(8), .iov_len = 4096};
  row("buffers: not mapped", io_uring_register_buffers(&other.ring, &buffer, 1));
  void* only = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  buffer.iov_base = only;
  row("buffers: read-only memory", io_uring_register_buffers(&other.ring, &buffer, 1));
  munmap(only, 4096);

  int error = 0;
  io_uring_setup_buf_ring(&one.ring, 3, 0, 0, &error);
  row("buffer ring: 3 entries", error);
  io_uring_setup_buf_ring(&one.ring, 65536, 0, 0, &error);
  row("buffer ring: 65536 entries", error);
  io_uring_buf_ring* buffers = io_uring_setup_buf_ring(&one.ring, 4, 0, 0, &error);
  row("buffer ring: 4 entries", error);
  io_uring_setup_buf_ring(&one.ring, 4, 0, 0, &error);
  row("buffer ring: the same group", error);
  row("buffer ring: free another group", io_uring_unregister_buf_ring(&one.ring, 7));
  io_uring_free_buf_ring(&one.ring, buffers, 4, 0);

  io_uring_params larger{};
  larger.sq_entries = 16;
  row("resize: without DEFER_TASKRUN", io_uring_resize_rings(&one.ring, &larger));
  row("enable: a ring that runs", io_uring_enable_rings(&one.ring));
  row("eventfd: not open", io_uring_register_eventfd(&one.ring, not_open));
  io_uring_sync_cancel_reg cancel{};
  cancel.addr = 12345;
  cancel.timeout = {.tv_sec = -1, .tv_nsec = -1};
  row("cancel in one call: nothing", io_uring_register_sync_cancel(&one.ring, &cancel));
  row("ring descriptor", io_uring_register_ring_fd(&one.ring));
  row("ring descriptor: once more", io_uring_register_ring_fd(&one.ring));
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  int ends[2];
  lab::need_errno(pipe(ends), "pipe");
  setup_rows(ends[0]);
  enter_rows(ends[0]);
  register_rows(ends[0]);
  close(ends[0]);
  close(ends[1]);
  return lab::ok();
}
