// Load generator for TCP and UDP echo servers: ringload --help teaches its use.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "05-performance/ringload/churn.hpp"
#include "05-performance/ringload/datagrams.hpp"
#include "05-performance/ringload/load.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/report.hpp"
#include "05-performance/ringload/sweep.hpp"

namespace lab {

namespace {

Report run_load(const LoadOptions& options) {
  if (options.churn) return Churn(options).run();
  if (options.udp) return Datagrams(options).run();
  return Load(options).run();
}

int run_one(const LoadOptions& options) {
  const Report report = run_load(options);
  fmt::print("{}", options.json ? to_json(options, report) : to_text(options, report));
  if (options.json && report.failed()) {
    fmt::print(stderr, "ringload: {} lost, {} wrong answers; first: {}\n", report.lost,
               report.content_errors, to_text(report.failure));
  }
  return report.failed() ? 1 : 0;
}

int run_many(const LoadOptions& options) {
  if (!options.json) fmt::print("{}", sweep_head(options));
  const auto show = [&](const SweepResult& result) {
    if (options.json) return;
    fmt::print("{}", result.steps.empty() ? peak_text(*result.peak)
                                          : step_text(options, result.steps.back()));
    std::fflush(stdout);
  };
  const SweepResult result = run_sweep(options, run_load, show);
  const std::string end = end_text(options, result);
  fmt::print("{}", options.json ? to_json(options, result) : end);
  if (options.json) fmt::print(stderr, "{}", end);
  if (!options.plot.empty()) fmt::print(stderr, "{}\n", plot(options, result));
  return result.failed() ? 1 : 0;
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  const lab::LoadOptions options = lab::parse_options(argc, argv);
  try {
    return options.sweep ? lab::run_many(options) : lab::run_one(options);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "ringload: {}\n", error.what());
    return 2;
  }
}
