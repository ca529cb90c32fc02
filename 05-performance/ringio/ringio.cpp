// Benchmark for files and disks: ringio --help teaches its use.
#include <fmt/format.h>

#include <csignal>
#include <exception>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/say.hpp"
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

bool plotted(const lab::IoOptions& options, const lab::IoReport& report) {
  if (options.plot.empty()) return true;
  try {
    lab::complain("{}", lab::plot(options, report));
    return true;
  } catch (const std::exception& error) {
    lab::complain("ringio: {}", error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::open_standard_fds();
  const lab::IoOptions options = lab::parse_options(argc, argv);
  try {
    catch_signals();
    lab::IoRun::check_memory(options);
    if (!options.plot.empty()) lab::make_plot_folder(options);
    lab::IoRun run(options, stop);
    const lab::IoReport report = run.run();
    fmt::print("{}", options.json ? to_json(options, report) : to_text(options, report));
    const bool failed = report.failure.kind != lab::IoFailure::Kind::none;
    if (options.json && failed) {
      lab::complain("ringio: {}", to_text(report.failure, report.names));
    }
    const bool told = lab::output_written("ringio");
    const bool drawn = plotted(options, report);
    if (failed) return 1;
    if (report.interrupted) return ended_by_signal;
    return told && drawn ? 0 : 2;
  } catch (const std::exception& error) {
    lab::complain("ringio: {}", error.what());
    return 2;
  }
}
