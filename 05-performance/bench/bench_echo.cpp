// Capstone against baseline: short interleaved rounds, so that a noisy machine disturbs both alike,
// and the median of the rounds' ratios, so that a disturbed round does not matter.
#include <fmt/format.h>
#include <regex.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "05-performance/bench/json_field.hpp"
#include "05-performance/bench/memory.hpp"
#include "05-performance/bench/plan.hpp"
#include "05-performance/bench/program.hpp"
#include "05-performance/bench/results.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;
namespace files = std::filesystem;

struct BenchOptions {
  std::string rows = ".*";
  std::vector<std::string> only;
  unsigned rounds = 15;
  double seconds = 0.6;
  double warmup_s = 0.15;
  int server_cpu = 0;
  int client_cpu = 1;
  files::path server;
  files::path baseline;
  files::path client;
  files::path directory = "build/bench";
  files::path json;
  bool ablate = false;
  bool memory = false;
  unsigned memory_connections = 10'000;
  bool process_cpu = false;
  bool priority = true;
  bool sleeping_client = false;
  bool receive_steering = false;
};

volatile std::sig_atomic_t stop_requested = 0;
void on_signal(int) { stop_requested = 1; }

/// The client's own side is the same against every server, and as light as it can be.
std::vector<std::string> client_options(const BenchOptions& options) {
  std::vector<std::string> words{"--congestion", "reno", "--receive-buffer", "1MiB"};
  if (!options.sleeping_client) words.insert(words.begin(), "--spin");
  return words;
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options);

  /// Measures everything.
  /// @throws std::runtime_error when a server or the client fails
  const Results& run();

 private:
  void start_servers();
  void check_content();
  Run measure(unsigned round, std::size_t row, std::size_t variant);
  std::string run_client(std::size_t row, std::size_t variant, double seconds, double warmup_s,
                         bool check);
  void note_system_calls(std::size_t variant);
  void show_progress(std::size_t done, std::size_t all) const;

  // The statistics of a server before the run that is not settled yet.
  struct Before {
    std::size_t run = 0;
    double enters = 0;
    double receives = 0;
    bool open = false;
  };

  const BenchOptions& options_;
  Results results_;
  std::vector<Server> servers_;
  std::vector<Before> before_;
  std::chrono::steady_clock::time_point started_;
};

std::vector<Row> rows_matching(const std::string& pattern) {
  regex_t expression{};
  if (regcomp(&expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    throw std::runtime_error(fmt::format("--rows {}: not a regular expression", pattern));
  }
  std::vector<Row> rows = all_rows();
  std::erase_if(rows, [&](const Row& row) {
    return regexec(&expression, row.name.c_str(), 0, nullptr, 0) != 0;
  });
  regfree(&expression);
  return rows;
}

Bench::Bench(const BenchOptions& options) : options_(options) {
  results_.rows = rows_matching(options.rows);
  if (results_.rows.empty()) {
    throw std::runtime_error(fmt::format("--rows {}: no row has such a name", options.rows));
  }
  for (const Comparison& comparison : all_comparisons(options.ablate)) {
    if (options.only.empty() || std::ranges::count(options.only, comparison.name) != 0) {
      results_.comparisons.push_back(comparison);
    }
  }
  for (const Variant& variant : all_variants(options.ablate)) {
    const auto uses = [&](const Comparison& comparison) {
      return comparison.first == variant.name || comparison.second == variant.name;
    };
    if (std::ranges::any_of(results_.comparisons, uses)) results_.variants.push_back(variant);
  }
  results_.cpu_of_process = options.process_cpu;
  Circumstances& with = results_.circumstances = find_circumstances();
  with.priority = options.priority ? take_priority() : "ordinary";
  with.server_cpu = options.server_cpu;
  with.client_cpu = options.client_cpu;
  with.rounds = options.rounds;
  with.seconds = options.seconds;
  with.receive_steering = options.receive_steering;
  with.client_options = fmt::format("{}", fmt::join(client_options(options), " "));
}

const Results& Bench::run() {
  start_servers();
  check_content();
  const std::size_t all = options_.rounds * results_.rows.size() * results_.variants.size();
  started_ = std::chrono::steady_clock::now();
  std::mt19937 random(1);
  std::vector<std::size_t> order(results_.variants.size());
  for (std::size_t variant = 0; variant < order.size(); ++variant) order[variant] = variant;
  for (unsigned round = 0; round < options_.rounds; ++round) {
    for (std::size_t row = 0; row < results_.rows.size(); ++row) {
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t variant : order) {
        if (stop_requested != 0) throw std::runtime_error("stopped");
        show_progress(results_.runs.size(), all);
        results_.runs.push_back(measure(round, row, variant));
      }
    }
  }
  std::this_thread::sleep_for(500ms);  // the last lines of statistics
  for (std::size_t variant = 0; variant < servers_.size(); ++variant) note_system_calls(variant);
  if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\r\x1b[K");
  return results_;
}

void Bench::start_servers() {
  for (const Variant& variant : results_.variants) {
    const bool capstone = variant.program == Variant::Program::capstone;
    Server::Options start{.program = capstone ? options_.server : options_.baseline,
                          .arguments = {"--port", "0", "--workers", "1"},
                          .cpu = options_.server_cpu,
                          .log = options_.directory / (variant.name + ".log"),
                          .stats = {}};
    start.arguments.insert(start.arguments.end(), variant.options.begin(), variant.options.end());
    if (capstone) {
      start.stats = options_.directory / (variant.name + ".stats.json");
      for (const std::string& word : {std::string("--stats-interval-ms"), std::string("250"),
                                      std::string("--stats-json"), start.stats.string()}) {
        start.arguments.push_back(word);
      }
    }
    servers_.emplace_back(start);
  }
  before_.resize(servers_.size());
}

// Every server under every load with every byte compared, before anything is measured.
void Bench::check_content() {
  for (std::size_t row = 0; row < results_.rows.size(); ++row) {
    for (std::size_t variant = 0; variant < servers_.size(); ++variant) {
      run_client(row, variant, 0.1, 0, true);
    }
  }
  std::this_thread::sleep_for(500ms);  // its statistics belong to no run
}

Run Bench::measure(unsigned round, std::size_t row, std::size_t variant) {
  note_system_calls(variant);
  Before& before = before_[variant];
  const std::string stats = servers_[variant].stats();
  before = {.run = results_.runs.size(),
            .enters = json_number(stats, "enters").value_or(0),
            .receives = json_number(stats, "receives").value_or(0),
            .open = true};

  const std::string json = run_client(row, variant, options_.seconds, options_.warmup_s, false);
  const auto number = [&](std::string_view name) { return json_number(json, name).value_or(0); };
  Run run{.round = round, .row = row, .variant = variant, .system_calls = {}};
  run.requests_per_second = number("requests_per_second");
  run.mb_per_second = number("mb_in_per_second");
  run.core_us = number("server_core_us_per_request");
  run.process_us = number("server_process_us_per_request");
  run.server_busy = number("server_core_busy_share");
  run.others_share =
      std::max(0.0, number("server_core_busy_s") - number("server_process_s")) / number("seconds");
  run.steal_share = std::max(number("server_core_steal_share"), number("own_core_steal_share"));
  run.client_busy = number("own_busy_share");
  run.p50_us = number("p50") / 1000;
  run.p99_us = number("p99") / 1000;
  if (run.requests_per_second <= 0) {
    throw std::runtime_error(fmt::format("{} answered nothing under {} (see {})",
                                         results_.variants[variant].name, results_.rows[row].text,
                                         servers_[variant].log().string()));
  }
  return run;
}

std::string Bench::run_client(std::size_t row, std::size_t variant, double seconds, double warmup_s,
                              bool check) {
  const Server& server = servers_[variant];
  std::vector<std::string> words{"127.0.0.1", fmt::format("{}", server.port()), "--json",
                                 "--quiet"};
  const auto add = [&](const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  add(results_.rows[row].options);
  if (check) std::erase(words, "--no-check");
  add(client_options(options_));
  add({"--duration", fmt::format("{}", seconds), "--warmup", fmt::format("{}", warmup_s)});
  add({"--cpu", fmt::format("{}", options_.client_cpu)});
  add({"--server-cpu", fmt::format("{}", options_.server_cpu)});
  add({"--server-pid", fmt::format("{}", server.pid())});
  try {
    return run_program(options_.client, words);
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{} against {} under {} (its log: {})", error.what(),
                                         results_.variants[variant].name, results_.rows[row].text,
                                         server.log().string()));
  }
}

// A server writes its statistics now and then, so a run is settled when the server's next run
// begins: in between it has done nothing but write them.
void Bench::note_system_calls(std::size_t variant) {
  Before& before = before_[variant];
  if (!before.open) return;
  before.open = false;
  const std::string stats = servers_[variant].stats();
  const auto enters = json_number(stats, "enters");
  const auto receives = json_number(stats, "receives");
  if (!enters || !receives || *receives <= before.receives) return;
  Run& run = results_.runs[before.run];
  run.system_calls = (*enters - before.enters) / (*receives - before.receives);
}

void Bench::show_progress(std::size_t done, std::size_t all) const {
  if (isatty(STDERR_FILENO) != 1) return;
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - started_;
  const double each =
      done == 0 ? options_.seconds + 0.3 : spent.count() / static_cast<double>(done);
  fmt::print(stderr, "\r\x1b[K{} of {} runs, about {:.0f} s left", done, all,
             each * static_cast<double>(all - done));
  std::fflush(stderr);
}

bool run_memory(const BenchOptions& options) {
  fmt::print("{}\n", machine_text(find_circumstances()));
  bool below = false;
  for (const Variant& variant : all_variants(false)) {
    if (variant.name != "capstone-tuned" && variant.name != "epoll-plain") continue;
    const bool capstone = variant.program == Variant::Program::capstone;
    Server::Options start{.program = capstone ? options.server : options.baseline,
                          .arguments = {"--port", "0", "--workers", "1"},
                          .cpu = options.server_cpu,
                          .log = options.directory / (variant.name + ".log"),
                          .stats = {}};
    start.arguments.insert(start.arguments.end(), variant.options.begin(), variant.options.end());
    const Server server(start);
    const MemoryResult result = measure_memory(variant.name, server, options.memory_connections);
    const bool ok = result.growth_bytes() <= memory_growth_max;
    below = below || (capstone && !ok);
    fmt::print("{}  {}\n", to_text(result),
               capstone ? (ok ? "ok: <= 1 MiB" : "BELOW: <= 1 MiB") : "");
  }
  return below;
}

constexpr const char* description =
    R"(bench-echo: echo-server against epoll-echo, each on one core, the client on another.

In every round each server gets every load once, in random order. A ratio is the median
over the rounds, with its 95 % bootstrap interval. CPU per request is the busy time of
the server's core. A ratio of requests/s counts only where that core was full: otherwise
the client or the scheduler set the pace, and it is printed in brackets.)";

void add_options(CLI::App& app, BenchOptions& options) {
  app.add_option("--rows", options.rows,
                 "Which rows, a regular expression over 1x64B 64x64B 512x64B 64x64Bx16 64x16KiB "
                 "stream8")
      ->capture_default_str();
  std::vector<std::string> names;
  for (const Comparison& comparison : all_comparisons(true)) names.push_back(comparison.name);
  app.add_option("--only", options.only, "Only these comparisons, and only what they need")
      ->check(CLI::IsMember(names));
  app.add_flag("--ablate", options.ablate, "Also what each single socket option is worth");
  app.add_option("--rounds", options.rounds, "Rounds; fewer than 15 are for a first look")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Measured seconds of each load in each round")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_option("--warmup", options.warmup_s, "Seconds of load before them")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  app.add_option("--server-cpu", options.server_cpu, "Where the servers run")
      ->check(CLI::Range(0, 4095))
      ->capture_default_str();
  app.add_option("--client-cpu", options.client_cpu, "Where the client runs")
      ->check(CLI::Range(0, 4095))
      ->capture_default_str();
  app.add_option("--server", options.server, "The capstone")->capture_default_str();
  app.add_option("--baseline", options.baseline, "What it is compared with")->capture_default_str();
  app.add_option("--client", options.client, "The load generator")->capture_default_str();
  app.add_flag("--process-cpu", options.process_cpu,
               "CPU per request: only the time of the server's processes. For a noisy machine; it "
               "leaves out interrupts that came while the core was idle");
  app.add_flag("--sleeping-client", options.sleeping_client,
               "The client sleeps when nothing is there; the server then pays for waking it");
  app.add_flag("--rfs", options.receive_steering,
               "Let each core process the packets of its own sockets, as a network card with a "
               "queue per core does (changes loopback's settings for the time; needs root)");
  app.add_flag("!--no-priority", options.priority, "Do not ask for a higher priority");
  app.add_option("--out", options.directory, "Where the plot, the logs and statistics go")
      ->capture_default_str();
  app.add_option("--json", options.json, "Write everything that was measured to this file");
  app.add_flag("--memory", options.memory, "Measure the memory of idle connections instead");
  app.add_option("--memory-connections", options.memory_connections, "How many")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::BenchOptions options;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
  options.server = beside / "echo-server";
  options.baseline = beside / "epoll-echo";
  options.client = beside / "ringload";
  CLI::App app(lab::description, "bench-echo");
  lab::add_options(app, options);
  app.footer("\nExit code: 0 all targets are met; 1 one is missed; 2 it could not be measured.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    std::filesystem::create_directories(options.directory);
    // The client gets Ctrl-C too and ends; then we end in order and put back what was changed.
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, lab::on_signal);
    std::optional<lab::ReceiveSteering> steering;
    if (options.receive_steering) steering.emplace();
    if (options.memory) return lab::run_memory(options) ? 1 : 0;
    bool below = false;
    lab::Bench bench(options);
    const lab::Results& results = bench.run();
    fmt::print("{}", to_text(results, below));
    if (!options.json.empty()) std::ofstream(options.json) << to_json(results);
    fmt::print("{}\n", plot(results, options.directory));
    return below ? 1 : 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-echo: {}\n", error.what());
    return 2;
  }
}
