// The measured interval: from warm-up to the figures that all kinds of load count alike.
#pragma once

#include <cstdint>
#include <limits>
#include <stdexcept>

#include "05-performance/ringload/meter.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/report.hpp"
#include "05-performance/ringload/stop.hpp"

namespace lab {

/// Readings at one end of the measured interval.
struct Mark {
  Meter::Reading usage;
  std::uint64_t replies, bytes_in, bytes_out, system_calls, operations;
};

/// @param usage read first: what follows costs nothing
template <class Traffic>
Mark mark_of(const Meter::Reading& usage, const Traffic& traffic) {
  return {.usage = usage,
          .replies = traffic.replies,
          .bytes_in = traffic.bytes_in,
          .bytes_out = traffic.bytes_out,
          .system_calls = traffic.ring.counters().enters,
          .operations = traffic.ring.counters().submitted};
}

struct Interval {
  Mark begin, end;
  bool interrupted;  ///< by a signal: it is shorter than it should be
};

/// Instead of the time when an interval ends: it ends with --count alone.
inline constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

/// Warms up, then measures for --duration or until --count replies came.
/// @param run_until (end_ns, replies_end): lets the load run until one of the two is reached, or
/// nothing can be expected any more
/// @param mark reads where the load stands
/// @throws std::runtime_error when a signal came before the measuring began
template <class Traffic, class RunUntil, class ReadMark>
Interval measure(const LoadOptions& options, Traffic& traffic, RunUntil run_until, ReadMark mark) {
  const auto to_ns = [](double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); };
  run_until(traffic.ring.now_ns() + to_ns(options.warmup_s), endless);
  if (stop_requested) throw std::runtime_error("nothing was measured yet");
  const Mark begin = mark();
  traffic.measuring = true;
  if (options.count) {
    run_until(endless, traffic.replies + *options.count);
  } else {
    run_until(begin.usage.at_ns + to_ns(options.duration_s), endless);
  }
  traffic.measuring = false;
  const bool interrupted = stop_requested;
  return {begin, mark(), interrupted};
}

/// The part of a report that does not depend on the kind of load. When everything has ended.
template <class Traffic>
Report report_of(const Meter& meter, const Interval& interval, const Traffic& traffic) {
  const auto& [begin, end, interrupted] = interval;
  Report report;
  report.interrupted = interrupted;
  report.usage = meter.between(begin.usage, end.usage);
  report.requests = end.replies - begin.replies;
  report.bytes_in = end.bytes_in - begin.bytes_in;
  report.bytes_out = end.bytes_out - begin.bytes_out;
  report.system_calls = end.system_calls - begin.system_calls;
  report.operations = end.operations - begin.operations;
  report.latency = traffic.latency;
  report.content_errors = traffic.content_errors;
  report.failure = traffic.failure;
  return report;
}

}  // namespace lab
