// Load generator for TCP and UDP echo servers: ringload --help teaches its use.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/ringload/churn.hpp"
#include "05-performance/ringload/datagrams.hpp"
#include "05-performance/ringload/http_questions.hpp"
#include "05-performance/ringload/load.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/report.hpp"
#include "05-performance/ringload/stop.hpp"
#include "05-performance/ringload/sweep.hpp"
#include "05-performance/ringload/talk.hpp"

namespace lab {

namespace {

constexpr int ended_by_signal = 130;

extern "C" void on_signal(int) { stop_requested = true; }

// The first signal ends the run in order, with a report; the second one ends the program. What was
// ignored (nohup, a script's background job) stays so.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

int exit_code(bool failed, bool interrupted) {
  if (failed) return 1;
  return interrupted ? ended_by_signal : 0;
}

Report run_load(const LoadOptions& options) {
  if (options.udp) return Datagrams(options).run();
  LoadOptions sized = options;
  Talk talk = options.http ? Talk(learn_http(options), Traffic::send_max)
                           : Talk(options.size, Traffic::send_max);
  sized.size = talk.answer_size_max();
  if (options.churn) return Churn(sized, talk).run();
  return Load(sized, talk).run();
}

int run_one(const LoadOptions& options) {
  const Report report = run_load(options);
  fmt::print("{}", options.json ? to_json(options, report) : to_text(options, report));
  if (options.json && report.failed()) {
    complain("ringload: {} lost, {} wrong answers; first: {}", report.lost, report.content_errors,
             to_text(report.failure));
  }
  return exit_code(report.failed(), report.interrupted);
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
  if (options.json) std::fputs(end.c_str(), stderr);
  if (!options.plot.empty() && !result.steps.empty()) complain("{}", plot(options, result));
  return exit_code(result.failed(), result.interrupted);
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  const lab::LoadOptions options = lab::parse_options(argc, argv);
  lab::catch_signals();
  int result = 2;
  try {
    result = options.sweep ? lab::run_many(options) : lab::run_one(options);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    const bool stopped = lab::stop_requested;
    lab::complain("ringload: {}{}", stopped ? "stopped; " : "", error.what());
    if (stopped) result = lab::ended_by_signal;
  }
  return lab::output_written("ringload") || result != 0 ? result : 2;
}
