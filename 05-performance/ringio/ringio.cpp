// Benchmark for files and disks: ringio --help teaches its use.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "05-performance/ringio/options.hpp"
#include "05-performance/ringio/plot.hpp"
#include "05-performance/ringio/report.hpp"
#include "05-performance/ringio/run.hpp"

namespace {

constexpr int ended_by_signal = 130;

lab::StopFlag stop{false};
static_assert(lab::StopFlag::is_always_lock_free, "a signal handler may not wait for a lock");

extern "C" void on_signal(int) { stop = true; }

// The first signal ends the run in order, with a report; the second one ends the program, which
// leaves no file behind either.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  const lab::IoOptions options = lab::parse_options(argc, argv);
  try {
    catch_signals();
    lab::IoRun run(options, stop);
    const lab::IoReport report = run.run();
    fmt::print("{}", options.json ? to_json(options, report) : to_text(options, report));
    const bool failed = report.failure.kind != lab::IoFailure::Kind::none;
    if (options.json && failed) {
      fmt::print(stderr, "ringio: {}\n", to_text(report.failure, report.names));
    }
    if (!options.plot.empty()) fmt::print(stderr, "{}\n", lab::plot(options, report));
    if (failed) return 1;
    return report.interrupted ? ended_by_signal : 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ringio: {}\n", error.what());
    return 2;
  }
}
