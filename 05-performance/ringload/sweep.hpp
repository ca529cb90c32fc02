// A sweep: one open loop for each rate, for the question that a single figure cannot answer: which
// latency does which load mean, and where does it end?
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/report.hpp"

namespace lab {

/// A load from its beginning to its end.
using RunLoad = std::function<Report(const LoadOptions&)>;

struct SweepStep {
  double asked = 0;  ///< messages a second that were due
  Report report;

  double reached() const noexcept { return report.per_second(report.requests); }
  /// False when what was due was not answered: too little came back, or too much was held back.
  bool kept_up() const noexcept;
};

struct SweepResult {
  std::optional<Report> peak;  ///< auto: the closed loop that the rates come from
  std::vector<SweepStep> steps;
  bool interrupted = false;  ///< by a signal: rates are missing, perhaps the peak

  bool failed() const noexcept;
};

/// Runs every rate in turn, and no further than the first that is not kept up with (it is tried a
/// second time before that, for a machine that was busy with something else looks the same). A
/// signal ends it with the rates that were measured whole.
/// @param on_step called after each rate, and after the peak with no step there yet
SweepResult run_sweep(const LoadOptions& options, const RunLoad& run,
                      const std::function<void(const SweepResult&)>& on_step);

std::string sweep_head(const LoadOptions& options);
std::string peak_text(const Report& peak);
std::string step_text(const LoadOptions& options, const SweepStep& step);
/// Why it ended, and the verdict on the last step.
std::string end_text(const LoadOptions& options, const SweepResult& result);
std::string to_json(const LoadOptions& options, const SweepResult& result);
/// Writes latency-over-load.tsv, .gp and, with gnuplot, .svg into options.plot.
/// @return what it wrote, or why there is no picture
/// @throws std::runtime_error when the folder cannot be written
std::string plot(const LoadOptions& options, const SweepResult& result);

}  // namespace lab
