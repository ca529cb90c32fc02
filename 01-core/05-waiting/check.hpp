// Judges the exercise: answers before the deadline, one after it, and a signal every 10 ms.
#pragma once

#include <sys/time.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace check {

using Clock = std::chrono::steady_clock;
using Moment = Clock::time_point;
using std::chrono::milliseconds;

// Takes answers from the ring until `deadline`, and returns how many it took.
using DrainUntil = unsigned (*)(io_uring& ring, Moment deadline);

inline volatile std::sig_atomic_t signals = 0;

inline void alarm_every(long microseconds) {
  const timeval every{.tv_sec = 0, .tv_usec = microseconds};
  const itimerval times{.it_interval = every, .it_value = every};
  lab::need_errno(setitimer(ITIMER_REAL, &times, nullptr), "setitimer");
}

// It falls silent some time before the deadline, so that no signal ends a wait that is too long.
inline void on_alarm(int) {
  signals = signals + 1;
  if (signals == 80) alarm_every(0);
}

inline void start_timer(io_uring& ring, __kernel_timespec& time, milliseconds length) {
  time = {.tv_sec = 0, .tv_nsec = length.count() * 1'000'000};
  if (length >= std::chrono::seconds(1)) time = {.tv_sec = length.count() / 1000, .tv_nsec = 0};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout(sqe, &time, 0, 0);
  io_uring_sqe_set_data64(sqe, static_cast<unsigned long long>(length.count()));
}

/// Sleeps until the deadline, as the exercise shall: on a busy machine it wakes late as well, and
/// then that is nobody's mistake. The signals are not for this thread.
class Observer {
 public:
  explicit Observer(Moment deadline) {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
    thread_ = std::thread([this, deadline] {
      std::this_thread::sleep_until(deadline);
      woke_ = Clock::now();
    });
    pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  }
  Moment woke() {
    thread_.join();
    return woke_;
  }

 private:
  Moment woke_;
  std::thread thread_;
};

inline void judge_the_end(Moment returned, Moment deadline, Moment observer_woke, long cpu_ms) {
  const auto early = std::chrono::duration_cast<milliseconds>(deadline - returned);
  if (returned < deadline) {
    lab::fail("drain_until returned " + std::to_string(early.count()) + " ms before its deadline",
              "a signal (-EINTR) and an answer end the wait, not the work");
  }
  // Waits of a whole second make it 800 ms.
  const auto late = std::chrono::duration_cast<milliseconds>(returned - observer_woke);
  if (late > milliseconds(600)) {
    lab::fail("drain_until returned " + std::to_string(late.count()) + " ms after its deadline",
              "after each return, only the rest of the time is left (YOUR TURN 1)");
  }
  if (cpu_ms > 100) {
    lab::fail("drain_until used " + std::to_string(cpu_ms) + " ms of CPU while it waited",
              "sleep in the kernel: io_uring_wait_cqe_timeout");
  }
}

inline int judge(int argc, char** argv, DrainUntil drain_until) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(16, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  // Four before the deadline, one so long after it that only a mistake can take it.
  __kernel_timespec times[5];
  const milliseconds lengths[5] = {milliseconds(20), milliseconds(21), milliseconds(60),
                                   milliseconds(100), milliseconds(60'000)};
  for (int index = 0; index < 5; ++index) start_timer(ring, times[index], lengths[index]);
  lab::need(io_uring_submit(&ring), "io_uring_submit");

  struct sigaction action {};
  action.sa_handler = on_alarm;
  lab::need_errno(sigaction(SIGALRM, &action, nullptr), "sigaction");
  const std::clock_t cpu_begin = std::clock();
  const Moment deadline = Clock::now() + milliseconds(1000);
  Observer observer(deadline);
  alarm_every(10'000);
  const unsigned answers = drain_until(ring, deadline);
  const Moment returned = Clock::now();
  const long cpu_ms = (std::clock() - cpu_begin) * 1000 / CLOCKS_PER_SEC;
  alarm_every(0);

  judge_the_end(returned, deadline, observer.woke(), cpu_ms);
  if (answers != 4) {
    lab::fail("drain_until took " + std::to_string(answers) + " answers, 4 came in its time",
              "count every CQE, and give each one back with io_uring_cqe_seen");
  }
  const unsigned left = io_uring_cq_ready(&ring);
  if (left != 0) lab::fail(std::to_string(left) + " answers were left in the ring");
  std::printf("4 answers, no signal in the way, back at the deadline\n");
  io_uring_queue_exit(&ring);
  return lab::ok();
}

}  // namespace check
