// Judges publish() with the kernel's thread awake and asleep. Nobody edits this file.
#pragma once

#include <liburing.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace exercise {

inline int wakes = 0;
inline int needless_wakes = 0;  ///< of these, while the kernel's thread was awake

/// The system call that wakes the kernel's thread; counted. Once asleep it sleeps until then.
inline void wake(io_uring& ring) {
  ++wakes;
  if ((IO_URING_READ_ONCE(*ring.sq.kflags) & IORING_SQ_NEED_WAKEUP) == 0) ++needless_wakes;
  if (*ring.sq.ktail != ring.sq.sqe_tail) {
    lab::fail("wake() was called before the new tail was published",
              "the order in publish(): tail, fence, flag");
  }
  const auto fd = static_cast<unsigned>(ring.ring_fd);
  lab::need(io_uring_enter(fd, 0, 0, IORING_ENTER_SQ_WAKEUP, nullptr), "io_uring_enter");
}

/// Makes the prepared SQEs visible to the kernel's thread.
using Publish = void (*)(io_uring& ring);

class Judge {
 public:
  explicit Judge(lab::Lesson& lesson) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SQPOLL;
    params.sq_thread_idle = 500;
    lab::need(io_uring_queue_init_params(8, &ring_, &params), "io_uring_queue_init_params");
    lesson.watch(ring_);
  }
  ~Judge() { io_uring_queue_exit(&ring_); }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  int run(Publish publish) {
    // A new thread may go to sleep at once. Only after work does it look on for its idle time.
    nop([](io_uring& ring) { lab::need(io_uring_submit(&ring), "io_uring_submit"); });
    for (int i = 0; i < 10; ++i) nop(publish);
    // Where this thread is held up for longer than the idle time, the other one sleeps and needs
    // it.
    if (needless_wakes > 0) {
      lab::fail(
          "10 NOPs with the kernel's thread awake: expected 0 wake-ups, counted " +
              std::to_string(needless_wakes),
          "wake() is a system call, which this ring is meant to save: look at the flag first");
    }
    std::puts("awake: 10 NOPs, no system call for each");
    while ((IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_NEED_WAKEUP) == 0) pause();
    std::puts("now the kernel's thread sleeps");
    wakes = 0;
    nop(publish);
    if (wakes != 1) {
      lab::fail("one NOP with the kernel's thread asleep: expected 1 wake-up, counted " +
                    std::to_string(wakes),
                "wake(ring), once");
    }
    std::puts("asleep: 1 NOP, 1 wake-up");
    return lab::ok();
  }

 private:
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

  void nop(Publish publish) {
    io_uring_prep_nop(io_uring_get_sqe(&ring_));
    publish(ring_);
    while (io_uring_cq_ready(&ring_) == 0) pause();
    io_uring_cq_advance(&ring_, 1);
  }

  io_uring ring_{};
};

}  // namespace exercise
