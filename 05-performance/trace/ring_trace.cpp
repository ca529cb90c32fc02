// What the rings of a running process do: ring-trace --help teaches its use.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <system_error>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/lib/trace.hpp"
#include "05-performance/trace/latency_table.hpp"
#include "05-performance/trace/ring_report.hpp"

namespace {

constexpr const char* description =
    R"(ring-trace: what the io_uring rings of a running process do.

It reads /proc/PID/fdinfo for each ring twice, and shows how far the queues moved and what
stands in the way: CQEs that nobody reads, SQEs that nobody submits, a CQ that overflowed,
polls that wait. Then bpftrace measures how long each operation takes, where it is installed
and permitted (root). The process itself is not stopped. Reading fdinfo takes the ring's lock
for some microseconds.)";

constexpr const char* examples = R"(
Examples:
  ring-trace $(pgrep -n echo-server)
      Two readings a second apart, then a second of latencies.
  ring-trace 1234 --seconds 10
      The same over ten seconds each: rarer operations, better percentiles.
  ring-trace 1234 --no-latencies
      fdinfo alone: enough for a program that is stuck, and needs no root for your own.

How to read it:
  CQEs unread stays        the program does not look, or waits for more than can come
  SQEs published stays     no io_uring_enter follows, or the polling thread sleeps
  CQEs overflowed          the CQ is too small, or is read too seldom
  polls armed, no CQEs     nothing arrives: the other side owes it
  io-wq as high as count   each of these operations occupies a kernel thread

Exit code: 0 something was shown; 1 no rings, no such process, it ended before it was seen, no
rights, or the output could not be written; 2 wrong flags.)";

struct Options {
  int pid = 0;
  unsigned seconds = 1;
  bool latencies = true;
};

Options parse_options(int argc, char** argv) {
  Options options;
  lab::CommandLine line("ring-trace", description);
  line.footer(examples);
  line.column_width(34);
  line.add_option("PID", options.pid, "The process").required().check(lab::in_range(1, 1 << 22));
  line.add_option("-s,--seconds", options.seconds, "How long to watch, each half")
      .check(lab::in_range(1U, 3600U))
      .capture_default_str();
  line.add_flag("!--no-latencies", options.latencies, "Do not run bpftrace");
  line.parse(argc, argv);
  return options;
}

int report(const std::system_error& error, int pid) {
  if (error.code() == std::errc::no_such_process) {
    lab::complain("ring-trace: there is no process {}\n  Cure: pgrep NAME finds one", pid);
  } else if (lab::process_ended(pid)) {
    lab::complain("ring-trace: process {} has ended", pid);
  } else if (error.code() == std::errc::permission_denied ||
             error.code() == std::errc::operation_not_permitted) {
    const bool root = geteuid() == 0;
    lab::complain("ring-trace: process {} may not be read: it {}\n  Cure: {}", pid,
                  root ? "has rights that this root lacks, or is protected"
                       : "runs as another user, or is protected",
                  root ? "run this with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), or on "
                         "the host"
                       : "run this as that user, or with sudo");
  } else {
    lab::complain("ring-trace: {}", error.what());
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  lab::open_standard_fds();
  const Options options = parse_options(argc, argv);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    const lab::Trace trace(options.pid);
    const bool shown = lab::print_rings(trace, options.seconds);
    const bool ended = lab::process_ended(options.pid);
    if (ended) lab::complain("ring-trace: process {} ended meanwhile", options.pid);
    if (shown && !ended && options.latencies) {
      lab::print_latencies(options.pid, options.seconds);
    }
    return lab::output_written("ring-trace") && shown ? 0 : 1;
  } catch (const std::system_error& error) {
    return report(error, options.pid);
  }
}
