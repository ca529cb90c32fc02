#include "06-server/http-server/bench/bench_http_options.hpp"

#include "05-performance/bench/command_line.hpp"

namespace lab {

HttpBenchOptions parse_options(int argc, char** argv) {
  HttpBenchOptions options;
  CommandLine line("bench-http",
                   "bench-http: http-server against nginx and h2o where they are installed, each "
                   "on one core,\nthe client (ringload) on another.\n\n"
                   "In every round each server gets the load once, in random order, each answer "
                   "having been\ncompared byte for byte before. A ratio is that to the best peer "
                   "of the same round; printed\nis the median with its 95 % bootstrap interval. "
                   "CPU is that of the server's processes.");
  line.add_option("--rows", options.rows,
                  "Which rows, a regular expression over 1KiB-64 1KiB-512 1KiB-64x16 64KiB-64 "
                  "1MiB-16 text-64 churn-64 churn-64-one-core")
      .capture_default_str();
  line.add_flag("--short", options.brief, "A first look: 3 rounds of 0.3 s unless given");
  line.add_option("--rounds", options.rounds, "Rounds; fewer than 15 are for a first look")
      .check(in_range(1U, 1000U))
      .capture_default_str();
  line.add_option("--seconds", options.seconds, "Measured seconds of each load in each round")
      .check(in_range(0.1, 600.0))
      .capture_default_str();
  line.add_option("--server-cpu", options.server_cpu, "Where the servers run")
      .check(in_range(0, 4095))
      .capture_default_str();
  line.add_option("--client-cpu", options.client_cpu, "Where the client runs")
      .check(in_range(0, 4095))
      .capture_default_str();
  line.add_flag("--memory", options.memory,
                "The memory of 10,000 idle connections that have asked once, and of a site of 100 "
                "MB with one worker and with two, instead");
  line.add_option("--churn", options.churn,
                  "So many connections with one request each, instead: descriptors, slots and "
                  "memory of http-server before and after, which must not grow. 1000000 takes a "
                  "minute")
      .check(in_range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
  line.add_flag(
      "--logs", options.logs,
      "Each server writes a line for each answer to a file, buffered where it can: the "
      "combined format. Files in --out, of gigabytes in the end, removed by the next run");
  line.add_option("--out", options.directory, "Where the site, configurations and logs go")
      .capture_default_str();
  line.footer("\nExit code: 0 all targets are met; 1 one is missed; 2 it could not be measured.");
  line.parse(argc, argv);
  if (options.server_cpu == options.client_cpu) {
    line.refuse("--server-cpu",
                "the same as --client-cpu: on one core nobody can tell who was the "
                "limit. Cure: a core for each");
  }
  if (options.brief) {
    if (line.count("--rounds") == 0) options.rounds = 3;
    if (line.count("--seconds") == 0) options.seconds = 0.3;
  }
  return options;
}

}  // namespace lab
