// What a run found out, as text for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "05-performance/lib/latency_histogram.hpp"
#include "05-performance/ringload/connection.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/processor_time.hpp"

namespace lab {

/// Everything about the measured interval: the warm-up is in none of these.
struct Report {
  double seconds = 0;
  std::uint64_t requests = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t system_calls = 0;  ///< our own
  std::uint64_t operations = 0;    ///< SQEs, our own
  LatencyHistogram latency;
  /// Open loop: messages that were due at the end and had not been sent. Their latency is in no
  /// percentile, so with many of them the true ones are higher.
  std::uint64_t held_back = 0;

  double own_cpu_s = 0;   ///< of our thread
  double idle_share = 0;  ///< --spin: time in rounds that found nothing
  bool spin = false;
  std::optional<ProcessorUse> own_core;
  std::optional<ProcessorUse> server_core;
  std::optional<double> server_process_s;

  unsigned lost = 0;
  std::uint64_t content_errors = 0;
  LoadFailure failure;

  double per_second(std::uint64_t amount) const noexcept {
    return seconds > 0 ? static_cast<double>(amount) / seconds : 0;
  }
  double per_request_us(double cpu_s) const noexcept {
    return requests > 0 ? cpu_s * 1e6 / static_cast<double>(requests) : 0;
  }
  /// The share of the interval in which the generator had work to do.
  double own_busy_share() const noexcept;
  /// True when the generator was the limit: its core had no idle time left and the server's had.
  /// Then requests/s says nothing about the server.
  bool generator_limited() const noexcept;
};

/// A core with at least this share of its time in use has no room left.
inline constexpr double core_full_share = 0.97;

std::string to_text(const LoadOptions& options, const Report& report);
/// One object, one line.
std::string to_json(const LoadOptions& options, const Report& report);
/// What went wrong first, in a sentence.
std::string to_text(const LoadFailure& failure);

}  // namespace lab
