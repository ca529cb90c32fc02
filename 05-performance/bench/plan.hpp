// What is measured: the servers and their options, the loads, the comparisons and their targets.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace lab {

/// One server with one set of options.
struct Variant {
  enum class Program { capstone, baseline, session };

  std::string name;
  Program program;
  std::vector<std::string> options;
  bool large_only = false;  ///< only under loads with much in flight, Row::large()
};

/// One load.
struct Row {
  std::string name;
  std::string text;
  std::vector<std::string> options;  ///< for ringload
  std::size_t size = 64;             ///< bytes of a request
  unsigned connections = 1;
  unsigned depth = 1;
  bool stream = false;
  bool churn = false;  ///< a connection for each message

  bool large() const noexcept { return stream || size * depth >= 16384; }
};

/// Bounds that a comparison has to meet on some rows: requests/s at least, CPU per request at most.
struct Target {
  std::optional<double> requests_min;
  std::optional<double> cpu_max;
  std::optional<double> requests_wanted;
  std::optional<double> cpu_wanted;
};

/// The first variant's figures divided by the second's.
struct Comparison {
  std::string name;
  std::string text;
  std::string first;
  std::string second;
  /// Whether targets are set: what an option is worth is told and not judged.
  bool judged = false;
  bool own_options = false;
  bool on_request = false;  ///< only where --only names it

  Target target(const Row& row) const;
};

std::vector<Row> all_rows();
/// 64 clients that connect, send one message, hear it and close; again and again.
Row churn_row();
/// The rows of lesson 05-10, without those that have more than 64 MiB in flight.
std::vector<Row> lesson_rows();
/// Both with the same socket options, and with the same buffers or each with its best.
std::vector<Variant> lesson_variants();
std::vector<Comparison> lesson_comparisons();
std::vector<Variant> all_variants(bool ablate);
std::vector<Comparison> all_comparisons(bool ablate);

/// A row whose ratio of requests/s has its whole interval below this is a loss.
inline constexpr double loss_below = 0.98;
/// System calls per request of the capstone at 512 connections.
inline constexpr double system_calls_max = 0.1;

}  // namespace lab
