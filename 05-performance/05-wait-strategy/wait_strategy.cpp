// shows: five ways to wait for messages, what each costs in CPU time and in latency
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN); optional parts: 6.9, 6.12, 6.13
// try:   ./lab run 05-05; then make pace_ns 2'000, and see which strategies grow alike
#include <liburing.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>
#include <string>

#include "01-core/lesson.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr unsigned message_count = 100;
constexpr double pace_ns = 20'000;
constexpr unsigned batch = 16;           // so many CQEs would be fine ...
constexpr long long batch_ns = 200'000;  // ... but nobody waits longer for them
constexpr __kernel_timespec long_limit{.tv_sec = 2, .tv_nsec = 0};

struct Waiter {
  io_uring ring{};
  alignas(4096) std::array<std::byte, 4096> region{};  // of struct io_uring_reg_wait
  unsigned waits = 0;
};

// [walk limit]
// -ETIME says that the time is over and nothing came. That is no failure.
void wait_with_a_limit(Waiter& waiter) {
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec limit{.tv_sec = 0, .tv_nsec = batch_ns};
  const int res = io_uring_submit_and_wait_timeout(&waiter.ring, &cqe, batch, &limit, nullptr);
  if (res != -ETIME) lab::need(res, "io_uring_submit_and_wait_timeout");
}
// [/walk]

// [walk min-wait]
// For `batch` CQEs, but after batch_ns one is enough: it sleeps on when there is none. The long
// limit is the one that ends with -ETIME.
void min_wait(Waiter& waiter) {
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec limit = long_limit;
  const int res = io_uring_submit_and_wait_min_timeout(&waiter.ring, &cqe, batch, &limit,
                                                       batch_ns / 1000, nullptr);
  if (res != -ETIME) lab::need(res, "io_uring_submit_and_wait_min_timeout");
}
// [/walk]

// [walk registered]
// The same, and the times lie in memory that the kernel knows already: place 0 of the region.
void registered_wait(Waiter& waiter) {
  io_uring_cqe* cqe = nullptr;
  const int res = io_uring_submit_and_wait_reg(&waiter.ring, &cqe, batch, 0);
  if (res != -ETIME) lab::need(res, "io_uring_submit_and_wait_reg");
}
// [/walk]

// [walk one-and-spin]
void wait_for_one(Waiter& waiter) {
  lab::need(io_uring_submit_and_wait(&waiter.ring, 1), "io_uring_submit_and_wait");
}

// With DEFER_TASKRUN looking is not enough: somebody has to ask for the events (01-13).
void spin(Waiter& waiter) {
  while (io_uring_cq_ready(&waiter.ring) == 0) io_uring_get_events(&waiter.ring);
}
// [/walk]

// [walk region]
// Only a ring that is not enabled yet takes such a region.
bool register_wait(Waiter& waiter) {
  auto* wait = new (waiter.region.data()) io_uring_reg_wait{};
  wait->ts = long_limit;
  wait->min_wait_usec = batch_ns / 1000;
  wait->flags = IORING_REG_WAIT_TS;
  io_uring_region_desc memory{};
  memory.user_addr = reinterpret_cast<std::uintptr_t>(waiter.region.data());
  memory.size = waiter.region.size();
  memory.flags = IORING_MEM_REGION_TYPE_USER;
  io_uring_mem_region_reg region{.region_uptr = reinterpret_cast<std::uintptr_t>(&memory),
                                 .flags = IORING_MEM_REGION_REG_WAIT_ARG};
  return io_uring_register_region(&waiter.ring, &region) == 0;
}
// [/walk]

// A hint only: where this process may not choose, the scheduler does.
void prefer_processor(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  sched_setaffinity(0, sizeof one, &one);
}

// Another process: it sends a message to the ring every pace_ns, with the time as its user_data.
void send_messages(int start, int target) {
  prefer_processor(1);
  io_uring ring;
  if (io_uring_queue_init(8, &ring, 0) < 0) _exit(1);
  for (char byte = 0; read(start, &byte, 1) == 1;) {
    double due = lab::clock_ns(CLOCK_MONOTONIC);
    for (unsigned sent = 0; sent < message_count; ++sent) {
      double now = lab::clock_ns(CLOCK_MONOTONIC);
      while (now < due) now = lab::clock_ns(CLOCK_MONOTONIC);
      due = now + pace_ns;
      io_uring_sqe* sqe = io_uring_get_sqe(&ring);
      io_uring_prep_msg_ring(sqe, target, 0, static_cast<std::uint64_t>(now), 0);
      if (io_uring_submit_and_wait(&ring, 1) != 1) _exit(1);
      io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
    }
  }
  _exit(0);
}

lab::Round receive(Waiter& waiter, int start, void (*wait)(Waiter&)) {
  lab::need_errno(static_cast<int>(write(start, "s", 1)), "write");
  double age_ns = 0;
  // [walk receive]
  for (unsigned taken = 0; taken < message_count;) {
    wait(waiter);
    ++waiter.waits;
    const double now = lab::clock_ns(CLOCK_MONOTONIC);
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&waiter.ring, head, cqe) {
      age_ns += now - static_cast<double>(cqe->user_data);
      ++seen;
    }
    io_uring_cq_advance(&waiter.ring, seen);
    taken += seen;
  }
  // [/walk]
  return {message_count, age_ns / 1000 / message_count};
}

// 16 are wanted, 1 is there.
void show_the_end_of(const char* name, Waiter& waiter, void (*wait)(Waiter&)) {
  io_uring_prep_nop(io_uring_get_sqe(&waiter.ring));
  const double begin = lab::clock_ns(CLOCK_MONOTONIC);
  wait(waiter);
  const double ms = (lab::clock_ns(CLOCK_MONOTONIC) - begin) / 1e6;
  lab::effect(ms < 1000, name, lab::figure(ms, "ms"), "1 CQE, long before the long limit");
  io_uring_cq_advance(&waiter.ring, io_uring_cq_ready(&waiter.ring));
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  Waiter waiter;
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED;
  const int made = io_uring_queue_init_params(512, &waiter.ring, &params);
  if (made == -EINVAL) lab::skip("needs Linux 6.1: IORING_SETUP_DEFER_TASKRUN");
  lab::need(made, "io_uring_queue_init_params");
  const bool has_registered = register_wait(waiter);
  const bool has_min_wait = (params.features & IORING_FEAT_MIN_TIMEOUT) != 0;
  lab::need(io_uring_enable_rings(&waiter.ring), "io_uring_enable_rings");
  lesson.watch(waiter.ring);
  int start[2];
  lab::need_errno(pipe(start), "pipe");
  const pid_t sender = lab::need_errno(fork(), "fork");
  if (sender == 0) {
    close(start[1]);
    send_messages(start[0], waiter.ring.ring_fd);
  }
  close(start[0]);
  prefer_processor(0);

  show_the_end_of("limit", waiter, wait_with_a_limit);
  if (has_min_wait) show_the_end_of("min-wait", waiter, min_wait);
  if (!has_min_wait) std::printf("skip min-wait: needs Linux 6.12\n");
  if (has_registered) show_the_end_of("registered", waiter, registered_wait);
  if (!has_registered) std::printf("skip registered wait: needs Linux 6.13\n");
  io_uring_napi napi{.busy_poll_to = 50};
  const bool has_napi = io_uring_register_napi(&waiter.ring, &napi) == 0;
  std::printf(has_napi ? "NAPI: registered\n" : "skip NAPI: needs Linux 6.9\n");

  lab::Knob knob(lesson, {.name = "strategies",
                          .title = "A message every 20 us from another process",
                          .operation = "message",
                          .extra = "mean age, us"});
  const auto add = [&](const char* name, void (*wait)(Waiter&)) {
    knob.add(name, [&waiter, wait, from = start[1]] { return receive(waiter, from, wait); });
  };
  add("for one", wait_for_one);
  add("spin", spin);
  add("for 16, limit", wait_with_a_limit);
  if (has_min_wait) add("min-wait", min_wait);
  if (has_registered) add("registered", registered_wait);
  knob.run();
  if (has_min_wait) {
    const unsigned before = waiter.waits;
    receive(waiter, start[1], min_wait);
    const double per_wait = message_count / static_cast<double>(waiter.waits - before);
    lab::effect(per_wait >= 2, "min-wait brings two messages or more a wait",
                lab::figure(per_wait, "messages a wait"));
  }

  close(start[1]);
  waitpid(sender, nullptr, 0);
  io_uring_queue_exit(&waiter.ring);
  return lab::ok();
}
