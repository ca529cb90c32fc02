// What the rounds showed: medians of ratios, judged against the targets, as a table, JSON and a
// plot.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "05-performance/bench/plan.hpp"
#include "05-performance/bench/statistics.hpp"

namespace lab {

/// One measurement: a variant under a load.
struct Run {
  unsigned round = 0;
  std::size_t row = 0;
  std::size_t variant = 0;

  double requests_per_second = 0;
  double mb_per_second = 0;
  double core_us = 0;       ///< busy time of the server's core, per request
  double process_us = 0;    ///< CPU time of the server's processes, per request
  double server_busy = 0;   ///< share of the server's core that was in use
  double others_share = 0;  ///< of it, used by neither the server nor by interrupts
  double steal_share = 0;   ///< the hypervisor ran somebody else, on either core
  double client_busy = 0;
  double p50_us = 0;
  double p99_us = 0;
  /// Of the capstone; known when its next run begins.
  std::optional<double> system_calls;

  /// Whether the server's core had no time left, and the server had it all.
  bool server_full() const noexcept;
};

/// Where, when and how: printed first, for a figure without its machine says nothing.
struct Circumstances {
  std::string processor;
  std::string kernel;
  std::size_t cores = 0;
  double system_call_ns = 0;  ///< what a system call costs there
  double wake_up_us = 0;      ///< and to wake a thread
  std::string date;
  std::string priority;
  std::string congestion;
  int server_cpu = 0;
  int client_cpu = 0;
  unsigned rounds = 0;
  double seconds = 0;
  bool receive_steering = false;
  std::string client_options;
};
Circumstances find_circumstances();
/// One line: the machine and the date.
std::string machine_text(const Circumstances& circumstances);
std::string to_text(const Circumstances& circumstances);

/// A comparison on one row.
struct Outcome {
  std::size_t rounds = 0;
  MedianInterval requests;
  MedianInterval cpu;
  /// Rounds in which both cores were full: only there the servers set the pace.
  double full_share = 0;
  bool requests_count = false;
  /// The second server was at its limit and the first was not: its true ratio is higher.
  bool at_least = false;
  double first_requests = 0, second_requests = 0;
  double first_cpu_us = 0, second_cpu_us = 0;
  /// What kept the first server from answering more: "server" (its core was full), "client" (the
  /// client's was), "wake-ups" (neither was, each waited for the other), or "others" (other
  /// processes took time of the server's core, so nothing can be said).
  const char* limit = "";
};

/// Everything measured, with the plan that it belongs to.
struct Results {
  Circumstances circumstances;
  std::vector<Row> rows;
  std::vector<Variant> variants;
  std::vector<Comparison> comparisons;
  std::vector<Run> runs;
  /// CPU per request: the whole busy time of the core, or the server's processes alone.
  bool cpu_of_process = false;

  Outcome compare(const Comparison& comparison, std::size_t row) const;
};

/// The tables, with "ok" or "BELOW" beside what has a target.
/// @param below is raised to true when a target was missed
std::string to_text(const Results& results, bool& below);
std::string to_json(const Results& results);
/// Writes ratios.dat, ratios.gp and, with gnuplot, ratios.svg and ratios.png.
/// @return what it wrote, or why there is no picture
std::string plot(const Results& results, const std::filesystem::path& directory);

}  // namespace lab
