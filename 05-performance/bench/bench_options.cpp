#include "05-performance/bench/bench_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "05-performance/bench/command_line.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace lab {

namespace {

constexpr const char* description =
    R"(bench-echo: echo-server against epoll-echo, each on one core, the client on another.

In every round each server gets every load once, in random order. A ratio is the median
over the rounds, with its 95 % bootstrap interval. CPU per request is the busy time of
the server's core. A ratio of requests/s counts only where that core was full: otherwise
the client or the scheduler set the pace, and it is printed in brackets.)";

void add_options(CommandLine& line, BenchOptions& options) {
  line.add_option("--rows", options.rows,
                  "Which rows, a regular expression over 1x64B 64x64B 512x64B 64x64Bx16 64x16KiB "
                  "stream8; with --only reactors also churn64, a connection for each message")
      .capture_default_str();
  std::vector<std::string> names;
  for (const Comparison& comparison : all_comparisons(true)) names.push_back(comparison.name);
  line.add_option("--only", options.only,
                  "Only this comparison, and only what it needs; may be given again. reactors, "
                  "session and buffers are made only when they are named here")
      .allow_extra_args(false)
      .check(one_of(names));
  line.add_flag(
      "--lesson", options.lesson,
      "The rows of lesson 05-10 instead: 1 to 4096 connections, 64 B to 256 KiB, depth 1 and "
      "16, streams; the same socket options for both servers; 5 rounds of 0.5 s unless "
      "given. About 10 minutes");
  line.add_option("--record", options.record,
                  "With --lesson: the folder for epoll-vs-io_uring.tsv and .svg; otherwise --out");
  line.add_flag("--short", options.brief,
                "A first look: 3 rounds of 0.3 s unless given, and no exit code 1");
  line.add_flag("--ablate", options.ablate, "Also what each single socket option is worth");
  line.add_option("--rounds", options.rounds, "Rounds; fewer than 15 are for a first look")
      .check(in_range(1U, 1000U))
      .capture_default_str();
  line.add_option("--seconds", options.seconds, "Measured seconds of each load in each round")
      .check(in_range(0.1, 600.0))
      .capture_default_str();
  line.add_option("--warmup", options.warmup_s, "Seconds of load before them")
      .check(in_range(0.0, 60.0))
      .capture_default_str();
  line.add_option("--server-cpu", options.server_cpu, "Where the servers run")
      .check(in_range(0, 4095))
      .capture_default_str();
  line.add_option("--client-cpu", options.client_cpu, "Where the client runs")
      .check(in_range(0, 4095))
      .capture_default_str();
  line.add_option("--server", options.server, "The capstone").capture_default_str();
  line.add_option("--baseline", options.baseline, "What it is compared with").capture_default_str();
  line.add_option("--session", options.session, "The echo as a coroutine, for --only session")
      .capture_default_str();
  line.add_option("--client", options.client, "The load generator").capture_default_str();
  line.add_flag("--process-cpu", options.process_cpu,
                "CPU per request: only the time of the server's processes. For a noisy machine; it "
                "leaves out interrupts that came while the core was idle");
  line.add_flag("--sleeping-client", options.sleeping_client,
                "The client sleeps when nothing is there; the server then pays for waking it");
  line.add_flag("--rfs", options.receive_steering,
                "Let each core process the packets of its own sockets, as a network card with a "
                "queue per core does (changes loopback's settings for the time; needs root)");
  line.add_flag("!--no-priority", options.priority, "Do not ask for a higher priority");
  line.add_option("--out", options.directory, "Where the plot, the logs and statistics go")
      .capture_default_str();
  line.add_option("--json", options.json, "Write everything that was measured to this file");
  line.add_flag("--memory", options.memory, "Measure the memory of idle connections instead");
  line.add_option("--memory-connections", options.memory_connections, "How many")
      .check(in_range(1U, 1'000'000U))
      .capture_default_str();
}

// Where the programs will run, before any of them is started.
void check_processors(const CommandLine& line, const BenchOptions& options) {
  const std::vector<int> allowed = allowed_cpus();
  const auto check = [&](const char* option, int cpu) {
    if (std::ranges::count(allowed, cpu) != 0) return;
    line.refuse(option, fmt::format("this process may not run on processor {}. Cure: one of {}",
                                    cpu, fmt::join(allowed, " ")));
  };
  check("--server-cpu", options.server_cpu);
  if (options.memory) return;  // nobody's time is measured
  check("--client-cpu", options.client_cpu);
  if (options.server_cpu == options.client_cpu) {
    line.refuse("--server-cpu",
                "the same as --client-cpu: on one core nobody can tell who was the "
                "limit. Cure: a core for each");
  }
}

}  // namespace

bool BenchOptions::asks_for(const std::string& comparison) const {
  return std::ranges::count(only, comparison) != 0;
}

const std::filesystem::path& BenchOptions::program(Variant::Program which) const {
  switch (which) {
    case Variant::Program::baseline:
      return baseline;
    case Variant::Program::session:
      return session;
    case Variant::Program::capstone:
      break;
  }
  return server;
}

std::vector<std::string> client_options(const BenchOptions& options) {
  std::vector<std::string> words{"--congestion", "reno", "--receive-buffer", "1MiB"};
  if (!options.sleeping_client) words.insert(words.begin(), "--spin");
  return words;
}

BenchOptions parse_options(int argc, char** argv) {
  BenchOptions options;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.server = beside / "echo-server";
  options.baseline = beside / "epoll-echo";
  options.session = beside / "session-echo";
  options.client = beside / "ringload";
  CommandLine line("bench-echo", description);
  add_options(line, options);
  line.footer("\nExit code: 0 all targets are met; 1 one is missed; 2 it could not be measured.");
  line.parse(argc, argv);
  if (!options.record.empty() && !options.lesson) {
    line.refuse("--record", "only with --lesson; the other rows plot into --out");
  }
  check_processors(line, options);
  const auto unless_given = [&](const char* name, auto& value, auto otherwise) {
    if (line.count(name) == 0) value = otherwise;
  };
  if (options.lesson) {
    unless_given("--rounds", options.rounds, 5U);
    unless_given("--seconds", options.seconds, 0.5);
    if (options.record.empty()) options.record = options.directory;
  }
  if (options.brief) {
    unless_given("--rounds", options.rounds, 3U);
    unless_given("--seconds", options.seconds, 0.3);
  }
  return options;
}

}  // namespace lab
