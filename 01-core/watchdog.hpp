// Ends a lesson that hangs, with what its ring knows. It goes by computing time as well, for a slow
// machine is no hang. 01-core/01-nop explains it.
#pragma once

#include <liburing.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace lab {

struct Watchdog {
  static inline io_uring* watched = nullptr;  ///< lives as long as the lesson waits on it

  /// The program ends after a turn of `seconds` in which its threads hardly computed, but at the
  /// latest after three turns. @return -1 with errno when there is no timer
  static int start(int seconds) {
    quiet_clocks_max = seconds * CLOCKS_PER_SEC / 100;  // less is a hang, not a crowded machine
    computed_before = std::clock();
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = &Watchdog::look;
    timer_t timer{};
    const timespec turn{.tv_sec = seconds, .tv_nsec = 0};
    const itimerspec turns_of_it{.it_interval = turn, .it_value = turn};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return -1;
    return timer_settime(timer, 0, &turns_of_it, nullptr);
  }

 private:
  static void look(sigval) {
    const clock_t computed = std::clock();
    const bool quiet = computed - computed_before < quiet_clocks_max;
    computed_before = computed;
    if (quiet || ++turns == 3) speak();
  }

  static void speak() {
    flockfile(stdout);  // for good: the hanging thread's wait may end now, and shall not speak
    std::printf("FAIL: nothing happened until the watchdog's time was up\n");
    if (watched == nullptr) std::exit(1);
    const unsigned prepared = watched->sq.sqe_tail - *watched->sq.khead;
    const unsigned unread = *watched->cq.ktail - *watched->cq.khead;
    const int armed = static_cast<int>(*watched->sq.khead - *watched->cq.ktail);
    if (prepared != 0) std::printf("ring: %u SQEs prepared, not submitted\n", prepared);
    if ((*watched->sq.kflags & IORING_SQ_CQ_OVERFLOW) != 0) std::printf("ring: CQ overflowed\n");
    if (unread != 0) std::printf("ring: %u CQEs arrived, not read\n", unread);
    if (armed > 0) std::printf("ring: %d operations armed, nothing arrived\n", armed);
    std::exit(1);
  }

  static inline clock_t quiet_clocks_max = 0;
  static inline clock_t computed_before = 0;
  static inline int turns = 0;
};

}  // namespace lab
