// Capstone against baseline: short interleaved rounds, so that a noisy machine disturbs both alike,
// and the median of the rounds' ratios, so that a disturbed round does not matter.
#include <fmt/format.h>
#include <regex.h>
#include <unistd.h>

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
#include <utility>
#include <vector>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/bench_options.hpp"
#include "05-performance/bench/json_field.hpp"
#include "05-performance/bench/lesson.hpp"
#include "05-performance/bench/memory.hpp"
#include "05-performance/bench/plan.hpp"
#include "05-performance/bench/program.hpp"
#include "05-performance/bench/results.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/bench/system_calls.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;

volatile std::sig_atomic_t stop_requested = 0;
void on_signal(int) { stop_requested = 1; }

// How often the servers write their statistics.
constexpr auto stats_interval = 50ms;

class Bench {
 public:
  explicit Bench(const BenchOptions& options);

  /// Measures everything.
  /// @throws std::runtime_error when a server or the client fails
  const Results& run();

 private:
  void start_servers();
  void check_content();
  bool runs(std::size_t row, std::size_t variant) const {
    return results_.rows[row].large() || !results_.variants[variant].large_only;
  }
  Run measure(unsigned round, std::size_t row, std::size_t variant);
  std::string run_client(std::size_t row, std::size_t variant, double seconds, double warmup_s,
                         bool check);
  void note_system_calls(std::size_t variant);
  void show_progress(std::size_t done, std::size_t all) const;

  // The run of a server that is not settled yet, and where its statistics begin in the file.
  struct Open {
    std::size_t run = 0;
    std::size_t offset = 0;
    bool open = false;
  };

  const BenchOptions& options_;
  Results results_;
  std::vector<Server> servers_;
  std::vector<Open> open_;
  std::chrono::steady_clock::time_point started_;
};

std::vector<Row> rows_matching(std::vector<Row> rows, const std::string& pattern) {
  regex_t expression{};
  if (regcomp(&expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    throw std::runtime_error(fmt::format("--rows {}: not a regular expression", pattern));
  }
  std::erase_if(rows, [&](const Row& row) {
    return regexec(&expression, row.name.c_str(), 0, nullptr, 0) != 0;
  });
  regfree(&expression);
  return rows;
}

Bench::Bench(const BenchOptions& options) : options_(options) {
  std::vector<Row> rows = options.lesson ? lesson_rows() : all_rows();
  if (options.asks_for("reactors")) rows.push_back(churn_row());
  results_.rows = rows_matching(std::move(rows), options.rows);
  if (results_.rows.empty()) {
    throw std::runtime_error(fmt::format("--rows {}: no row has such a name", options.rows));
  }
  for (const Comparison& comparison :
       options.lesson ? lesson_comparisons() : all_comparisons(options.ablate)) {
    if (options.only.empty() ? !comparison.on_request : options.asks_for(comparison.name)) {
      results_.comparisons.push_back(comparison);
    }
  }
  for (const Variant& variant : options.lesson ? lesson_variants() : all_variants(options.ablate)) {
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
  std::size_t all = 0;
  for (std::size_t row = 0; row < results_.rows.size(); ++row) {
    for (std::size_t variant = 0; variant < servers_.size(); ++variant) all += runs(row, variant);
  }
  all *= options_.rounds;
  started_ = std::chrono::steady_clock::now();
  std::mt19937 random(1);
  std::vector<std::size_t> order(results_.variants.size());
  for (std::size_t variant = 0; variant < order.size(); ++variant) order[variant] = variant;
  for (unsigned round = 0; round < options_.rounds; ++round) {
    for (std::size_t row = 0; row < results_.rows.size(); ++row) {
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t variant : order) {
        if (!runs(row, variant)) continue;
        if (stop_requested != 0) throw std::runtime_error("stopped");
        show_progress(results_.runs.size(), all);
        results_.runs.push_back(measure(round, row, variant));
      }
    }
  }
  std::this_thread::sleep_for(500ms);  // the last lines of statistics
  for (std::size_t variant = 0; variant < servers_.size(); ++variant) note_system_calls(variant);
  if (isatty(STDERR_FILENO) == 1) show_line("");
  return results_;
}

void Bench::start_servers() {
  for (const Variant& variant : results_.variants) {
    Server::Options start{.program = options_.program(variant.program),
                          .arguments = {"--port", "0", "--workers", "1"},
                          .cpu = options_.server_cpu,
                          .log = options_.directory / (variant.name + ".log"),
                          .stats = {}};
    start.arguments.insert(start.arguments.end(), variant.options.begin(), variant.options.end());
    start.stats = options_.directory / (variant.name + ".stats.json");
    for (const std::string& word :
         {std::string("--stats-interval-ms"), fmt::format("{}", stats_interval.count()),
          std::string("--stats-json"), start.stats.string()}) {
      start.arguments.push_back(word);
    }
    servers_.emplace_back(start);
  }
  open_.resize(servers_.size());
}

// Every server under every load with every byte compared, before anything is measured.
void Bench::check_content() {
  for (std::size_t row = 0; row < results_.rows.size(); ++row) {
    for (std::size_t variant = 0; variant < servers_.size(); ++variant) {
      if (runs(row, variant)) run_client(row, variant, 0.1, 0, true);
    }
  }
  std::this_thread::sleep_for(500ms);  // its statistics belong to no run
}

Run Bench::measure(unsigned round, std::size_t row, std::size_t variant) {
  // Its own latest run may have ended just now, and its statistics are not written yet.
  if (!results_.runs.empty() && results_.runs.back().variant == variant) {
    std::this_thread::sleep_for(3 * stats_interval);
  }
  note_system_calls(variant);
  open_[variant] = {
      .run = results_.runs.size(), .offset = servers_[variant].all_stats().size(), .open = true};

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
  // ringload spins for connections that stay.
  if (results_.rows[row].churn) std::erase(words, "--spin");
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
  if (!std::exchange(open_[variant].open, false)) return;
  Run& run = results_.runs[open_[variant].run];
  const auto calls =
      system_calls_per_byte(servers_[variant].all_stats().substr(open_[variant].offset));
  if (calls) run.system_calls = *calls * static_cast<double>(results_.rows[run.row].size);
}

void Bench::show_progress(std::size_t done, std::size_t all) const {
  if (isatty(STDERR_FILENO) != 1) return;
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - started_;
  const double each =
      done == 0 ? options_.seconds + 0.3 : spent.count() / static_cast<double>(done);
  show_line(fmt::format("{} of {} runs, about {:.0f} s left", done, all,
                        each * static_cast<double>(all - done)));
}

bool run_memory(const BenchOptions& options) {
  fmt::print("{}\n", machine_text(find_circumstances()));
  bool below = false;
  for (const Variant& variant : all_variants(false)) {
    if (variant.name != "capstone-tuned" && variant.name != "epoll-plain") continue;
    const bool capstone = variant.program == Variant::Program::capstone;
    Server::Options start{.program = options.program(variant.program),
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

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  const lab::BenchOptions options = lab::parse_options(argc, argv);
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
    if (options.lesson) {
      fmt::print("\n{}\n{}\n", lesson_table(results), record_lesson(results, options.record));
      return 0;
    }
    fmt::print("{}\n", plot(results, options.directory));
    if (!lab::output_written("bench-echo")) return 2;
    // A few short rounds are for looking, not for judging.
    return below && !options.brief ? 1 : 0;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    lab::complain("bench-echo: {}", error.what());
    return 2;
  }
}
