// What the tests of the server share: waits that have a deadline, checked clients, places to run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/client.hpp"

namespace lab {

using namespace std::chrono_literals;

/// For what takes milliseconds on a quiet machine: only a hang exceeds it on a busy one. No test
/// asks how long something took, but whether it came and whether it came too early.
inline constexpr Clock::duration patience = 60s;

inline Deadline soon() { return Deadline(patience); }

/// Waits for a condition that nothing announces.
/// @return false when it did not come true within the limit
template <class Condition>
bool eventually(Condition holds, Clock::duration limit = patience) {
  const Clock::time_point end = Clock::now() + limit;
  while (!holds()) {
    if (Clock::now() >= end) return holds();
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// How long a test that has to act often was kept from it: a client that a busy machine holds up
/// looks idle to the server, and whatever the server does then is right.
class Pauses {
 public:
  void acted() {
    longest_ = longest();
    last_ = Clock::now();
  }
  Clock::duration longest() const { return std::max(longest_, Clock::now() - last_); }

 private:
  Clock::time_point last_ = Clock::now();
  Clock::duration longest_{};
};

/// A client with a stream of its own; throws Failure when it cannot connect.
Stream connect_to(std::uint16_t port, const StreamOptions& options = {},
                  const std::string& host = "127.0.0.1");

/// The smallest window and segments that Linux makes: a socket that has room takes little, and is
/// charged for several times as much.
inline constexpr StreamOptions tiny_window{.receive_buffer_size = 1152, .segment_size_max = 88};

/// Some bytes there and back.
inline void ping(Stream& client, std::size_t size = 64) { client.exchange(size, soon()); }

/// A client that has sent what the server and the kernel take, and reads nothing.
/// @param settled so long nothing more was taken
Stream connect_stuck(std::uint16_t port, Clock::duration settled = 100ms);

/// Pinned to one CPU while it lives; then the thread may run where it could before.
class OnCpu {
 public:
  explicit OnCpu(int cpu);
  ~OnCpu();
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  std::vector<int> before_;
};

/// Built with one: it brings an allocator, a speed and system calls of its own.
#ifdef LAB_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace lab
