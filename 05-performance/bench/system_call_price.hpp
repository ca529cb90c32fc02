// What one system call costs on this machine. What io_uring saves is system calls and wake-ups, so
// a comparison of speeds says little without this figure: every table of this chapter prints it.
#pragma once

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "05-performance/bench/statistics.hpp"

namespace lab {

/// Nanoseconds of one call(): the median of many short batches, so that a batch which was
/// interrupted does not matter.
/// @param now_ns reads a clock, in nanoseconds
template <class Clock, class Call>
double median_call_ns(Clock now_ns, Call call) {
  constexpr std::size_t batches = 51;
  constexpr int calls = 100;
  std::vector<double> prices(batches);
  for (double& price : prices) {
    const double begin = now_ns();
    for (int done = 0; done < calls; ++done) call();
    price = (now_ns() - begin) / calls;
  }
  return median(prices);
}

/// The price of a system call that does nothing (getppid), in nanoseconds. It is measured once in a
/// process, in less than 10 ms.
inline double system_call_ns() {
  static const double price = median_call_ns(
      [] {
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
      },
      [] { syscall(SYS_getppid); });
  return price;
}

/// "a system call takes 166 ns", for the head of a table.
inline std::string system_call_text() {
  char text[64];
  std::snprintf(text, sizeof text, "a system call takes %.0f ns", system_call_ns());
  return text;
}

}  // namespace lab
