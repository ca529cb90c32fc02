// When each message of an open loop is due. The plan is fixed before the run: a server that stalls
// delays the answers and not the questions, and a latency counts from the moment the message was
// due (otherwise a stall of one second would be one slow request instead of all that it held up).
#pragma once

#include <cstdint>

namespace lab {

/// Message g of the run is due at start + g / rate; the messages go round the connections.
class Schedule {
 public:
  /// @param rate messages a second, over all connections
  Schedule(std::uint64_t start_ns, double rate, std::uint64_t connections) noexcept
      : start_ns_(start_ns), interval_ns_(1e9 / rate), connections_(connections) {}

  /// When message `number` of the whole run is due. Exact to a nanosecond for a hundred days.
  std::uint64_t due_ns(std::uint64_t number) const noexcept {
    return start_ns_ + static_cast<std::uint64_t>(static_cast<double>(number) * interval_ns_);
  }
  /// When message `number` of one connection is due.
  std::uint64_t due_ns(std::uint64_t connection, std::uint64_t number) const noexcept {
    return due_ns(number * connections_ + connection);
  }
  std::uint64_t connection_of(std::uint64_t number) const noexcept { return number % connections_; }

 private:
  std::uint64_t start_ns_;
  double interval_ns_;
  std::uint64_t connections_;
};

}  // namespace lab
