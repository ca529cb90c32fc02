// What a run found out, as text for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "05-performance/lib/latency_histogram.hpp"
#include "05-performance/ringload/connection.hpp"
#include "05-performance/ringload/meter.hpp"
#include "05-performance/ringload/options.hpp"

namespace lab {

/// --churn: whole connections of the measured interval.
struct ChurnReport {
  std::uint64_t connections = 0;  ///< begun, used and closed
  LatencyHistogram connect;       ///< from the connect to its result
  LatencyHistogram whole;         ///< from the connect to the end of the close
};

/// --udp: datagrams that were due in the measured interval. sent == answered + lost.
struct DatagramReport {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t lost = 0;       ///< no answer within --timeout
  std::uint64_t late = 0;       ///< of the lost ones: the answer came after it
  std::uint64_t duplicate = 0;  ///< answers that came again
  std::uint64_t reordered = 0;  ///< answers that came after the answer to a later datagram
  /// Datagrams that our own sockets had no room for, over the whole run: the generator lost those.
  std::uint64_t dropped_here = 0;
};

/// Everything about the measured interval: the warm-up is in none of these.
struct Report {
  Usage usage;
  bool interrupted = false;  ///< a signal ended the interval early
  std::uint64_t requests = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t system_calls = 0;  ///< our own
  std::uint64_t operations = 0;    ///< SQEs, our own
  LatencyHistogram latency;
  /// Open loop: messages that were due at the end and had not been sent. Their latency is in no
  /// percentile, so with many of them the true ones are higher.
  std::uint64_t held_back = 0;
  std::optional<ChurnReport> churn;
  std::optional<DatagramReport> datagrams;

  unsigned lost = 0;  ///< connections
  std::uint64_t content_errors = 0;
  LoadFailure failure;

  double per_second(std::uint64_t amount) const noexcept {
    return usage.seconds > 0 ? static_cast<double>(amount) / usage.seconds : 0;
  }
  double per_request_us(double cpu_s) const noexcept {
    return requests > 0 ? cpu_s * 1e6 / static_cast<double>(requests) : 0;
  }
  /// An answer was wrong or a connection ended: exit code 1.
  bool failed() const noexcept { return lost > 0 || content_errors > 0; }
};

std::string to_text(const LoadOptions& options, const Report& report);
/// One object, one line.
std::string to_json(const LoadOptions& options, const Report& report);
/// What went wrong first, in a sentence.
std::string to_text(const LoadFailure& failure);
/// "12.3 us": three digits are enough for people.
std::string duration_text(std::uint64_t nanoseconds);

}  // namespace lab
