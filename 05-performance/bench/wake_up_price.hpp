// What it costs to wake a thread on this machine: the other thing, beside system calls, that
// io_uring saves, since one wake-up can bring many completions.
#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include "05-performance/bench/system_call_price.hpp"

namespace lab {

/// Microseconds from a write() into a pipe until the thread that slept in read() has the byte: half
/// of the way there and back, so each includes one write() and one read(). It is measured once in a
/// process, in a quarter of a second or less. Where a processor sleeps deeply, as in many virtual
/// machines, most of it is the way out of that sleep.
/// Throws std::system_error when there are no descriptors left.
inline double wake_up_us() {
  static const double price = [] {
    std::array<int, 2> there{};
    std::array<int, 2> back{};
    if (pipe2(there.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::system_category());
    if (pipe2(back.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::system_category());
    std::thread other([from = there[0], to = back[1]] {
      for (char byte = 0; read(from, &byte, 1) == 1;) {
        if (write(to, &byte, 1) != 1) return;
      }
    });
    const double round_trip_ns = median_call_ns(
        [] {
          timespec now{};
          clock_gettime(CLOCK_MONOTONIC, &now);
          return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
        },
        [to = there[1], from = back[0]] {
          char byte = 0;
          if (write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1) return;
        });
    close(there[1]);  // the end for the other thread
    other.join();
    for (const int fd : {there[0], back[0], back[1]}) close(fd);
    return round_trip_ns / 2000;
  }();
  return price;
}

}  // namespace lab
