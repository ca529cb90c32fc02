// fio and ringio side by side: what the rounds showed, judged, as a table, JSON and a plot.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "05-performance/bench/statistics.hpp"

namespace lab {

/// One way of asking: both programs get the same.
struct IoRow {
  unsigned depth = 1;
  bool tuned = true;  ///< registered buffers and files; otherwise neither

  std::string name() const;
};

/// One run of one program.
struct IoSample {
  double iops = 0;
  double cpu_us = 0;  ///< CPU time per operation, from wait4(2), without the start-up
  double own_us = 0;  ///< the same as the program itself says it
  double p50_us = 0;
  double p99_us = 0;
};

/// Both programs, one after the other.
struct IoPair {
  std::size_t row = 0;
  unsigned round = 0;
  IoSample fio;
  IoSample ringio;
};

/// What a row came to. Ratios are ringio's figure divided by fio's.
struct IoOutcome {
  MedianInterval iops;
  MedianInterval cpu;
  MedianInterval own_cpu;
  IoSample fio;  ///< medians
  IoSample ringio;
  bool iops_ok = false;
  bool cpu_ok = false;
};

/// At least this ratio of operations a second, with an interval that reaches 1; at most this one of
/// CPU time per operation.
inline constexpr double iops_ratio_min = 0.97;
inline constexpr double cpu_ratio_max = 0.9;

struct IoComparison {
  std::string machine;
  std::string fio_version;
  std::string settings;    ///< in words: what both were asked
  double fio_start_s = 0;  ///< CPU time of a run that does next to nothing
  double ringio_start_s = 0;
  std::vector<IoRow> rows;
  std::vector<IoPair> pairs;

  IoOutcome outcome(std::size_t row) const;
  /// Whether every row meets both targets.
  bool ok() const;
};

std::string to_text(const IoComparison& comparison);
std::string to_json(const IoComparison& comparison);
/// Writes ringio.dat, ringio.gp, ringio.json and, with gnuplot, ringio.svg into the folder.
/// @return what it wrote, or why there is no picture
std::string plot(const IoComparison& comparison, const std::filesystem::path& folder);

}  // namespace lab
