// http-server beside the web servers that people use: short interleaved rounds, so that a noisy
// machine disturbs all alike, and the median of the rounds' ratios.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <regex.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/json_field.hpp"
#include "05-performance/bench/program.hpp"
#include "05-performance/bench/results.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/bench/statistics.hpp"
#include "06-server/http-server/bench/bench_http_options.hpp"
#include "06-server/http-server/bench/http_memory.hpp"
#include "06-server/http-server/bench/http_peers.hpp"
#include "06-server/http-server/bench/http_rows.hpp"

namespace lab {

namespace {

volatile std::sig_atomic_t stop_requested = 0;
void on_signal(int) { stop_requested = 1; }

// What one server did under one load in one round.
struct Figures {
  double requests_per_second = 0;
  double mb_per_second = 0;
  double cpu_us = 0;  ///< of its processes, per request
  double client_busy = 0;
  double p99_us = 0;
  double p999_us = 0;
};

constexpr std::size_t ours = 0;

class Bench {
 public:
  explicit Bench(const HttpBenchOptions& options);
  /// @return whether a target was missed
  bool run();
  void run_memory();
  /// @return whether something was not given back
  bool run_churn();

 private:
  void start_servers();
  /// Our server, but for its arguments.
  Server::Options ours_alone() const;
  std::vector<Figures> measure_round(const HttpRow& row, const std::vector<std::string>& more);
  Figures measure(const HttpRow& row, std::size_t server, const std::vector<std::string>& more,
                  bool check, double seconds);
  bool show_row(const HttpRow& row, const std::vector<std::vector<Figures>>& rounds) const;
  void show_open_loop(const HttpRow& row, double peer_peak);

  const HttpBenchOptions& options_;
  const std::filesystem::path beside_;
  std::vector<HttpRow> rows_;
  std::vector<std::string> names_;
  std::vector<Server> servers_;  ///< ours, the peers, and last an echo
  std::mt19937 random_{1};
};

bool matches(const std::string& pattern, const std::string& name) {
  regex_t expression{};
  if (regcomp(&expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    throw std::runtime_error(fmt::format("--rows {}: not a regular expression", pattern));
  }
  const bool found = regexec(&expression, name.c_str(), 0, nullptr, 0) == 0;
  regfree(&expression);
  return found;
}

Bench::Bench(const HttpBenchOptions& options)
    : options_(options),
      beside_(std::filesystem::read_symlink("/proc/self/exe").parent_path()),
      rows_(http_rows(find_circumstances().system_call_ns)) {
  std::erase_if(rows_, [&](const HttpRow& row) { return !matches(options.rows, row.name); });
  if (rows_.empty()) {
    throw std::runtime_error(fmt::format("--rows {}: no row has such a name", options.rows));
  }
}

Server::Options Bench::ours_alone() const {
  return {.program = beside_ / "http-server",
          .arguments = {},
          .cpu = options_.server_cpu,
          .log = std::filesystem::absolute(options_.directory) / "http-server.log",
          .stats = {}};
}

void Bench::start_servers() {
  const std::filesystem::path directory = std::filesystem::absolute(options_.directory);
  const std::filesystem::path site = directory / "site";
  make_http_site(site);
  std::string versions;
  const auto start = [&](const std::string& name, const Server::Options& how) {
    names_.push_back(name);
    servers_.emplace_back(how);
  };
  Server::Options server = ours_alone();
  server.arguments = {site.string(), "--port", "0", "--workers", "1", "--defer-accept-s", "1"};
  for (const char* name : {"http-server", "nginx", "h2o"})
    std::filesystem::remove(directory / fmt::format("{}.access.log", name));
  if (options_.logs) {
    const std::string log = (directory / "http-server.access.log").string();
    server.arguments.insert(server.arguments.end(), {"--access-log", log});
  }
  start("http-server", server);
  for (const HttpPeer& peer :
       installed_peers(site, directory, options_.server_cpu, options_.logs)) {
    start(peer.name, peer.start);
    versions += fmt::format("{}{}", versions.empty() ? "" : ", ", peer.version);
  }
  if (servers_.size() == 1) {
    complain(
        "bench-http: neither nginx nor h2o is installed, so there are no ratios. Cure: "
        "apt install nginx-light h2o");
  }
  server.program = beside_ / "echo-server";
  server.arguments = {"--port", "0", "--workers", "1"};
  server.log = directory / "echo-server.log";
  start("echo", server);
  fmt::print("{}\nserver on core {}, client on core {}; {} rounds of {:g} s each; peers: {}\n\n",
             machine_text(find_circumstances()), options_.server_cpu, options_.client_cpu,
             options_.rounds, options_.seconds, versions.empty() ? "none" : versions);
}

Figures Bench::measure(const HttpRow& row, std::size_t server, const std::vector<std::string>& more,
                       bool check, double seconds) {
  const Server& target = servers_[server];
  const bool echo = server + 1 == servers_.size();
  std::vector<std::string> words;
  if (echo) {
    words = {fmt::format("127.0.0.1:{}", target.port()), "--size",
             fmt::format("{}", row.echo_size)};
  } else {
    words = {fmt::format("http://127.0.0.1:{}{}", target.port(), row.paths.front())};
    for (std::size_t path = 1; path < row.paths.size(); ++path) {
      words.insert(words.end(), {"--path", row.paths[path]});
    }
    for (const std::string& header : row.headers) words.insert(words.end(), {"--header", header});
  }
  const auto add = [&](const std::vector<std::string>& options) {
    words.insert(words.end(), options.begin(), options.end());
  };
  add(row.options);
  add(more);
  add({"--json", "--quiet", "--congestion", "reno", "--receive-buffer", "1MiB"});
  if (row.spin) add({"--spin"});
  if (!check) add({"--no-check"});
  add({"--duration", fmt::format("{}", seconds)});
  add({"--warmup", fmt::format("{}", check ? 0 : options_.warmup_s)});
  add({"--cpu", fmt::format("{}", row.one_core ? options_.server_cpu : options_.client_cpu)});
  add({"--server-pid", fmt::format("{}", target.pid())});
  std::string json;
  try {
    json = run_program(beside_ / "ringload", words);
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{} against {} under {} (its log: {})", error.what(),
                                         names_[server], row.text, target.log().string()));
  }
  const auto number = [&](std::string_view name) { return json_number(json, name).value_or(0); };
  return {.requests_per_second = number("requests_per_second"),
          .mb_per_second = number("mb_in_per_second"),
          .cpu_us = number("server_process_us_per_request"),
          .client_busy = number("own_busy_share"),
          .p99_us = number("p99") / 1000,
          .p999_us = number("p99.9") / 1000};
}

// Every server once, in another order each time.
std::vector<Figures> Bench::measure_round(const HttpRow& row,
                                          const std::vector<std::string>& more) {
  std::vector<std::size_t> order;
  for (std::size_t server = 0; server < servers_.size(); ++server) {
    if (row.echo_size > 0 || server + 1 < servers_.size()) order.push_back(server);
  }
  std::shuffle(order.begin(), order.end(), random_);
  std::vector<Figures> figures(servers_.size());
  for (const std::size_t server : order) {
    if (stop_requested != 0) throw std::runtime_error("stopped");
    figures[server] = measure(row, server, more, false, options_.seconds);
  }
  return figures;
}

template <class Field>
double median_of(const std::vector<std::vector<Figures>>& rounds, std::size_t server, Field field) {
  std::vector<double> values;
  for (const auto& round : rounds) values.push_back(round[server].*field);
  return median(values);
}

std::string interval_text(const MedianInterval& value) {
  return fmt::format("{:.2f} [{:.2f} {:.2f}]", value.median, value.low, value.high);
}

// The figures of every server, and the ratios to the best peer of each round.
bool Bench::show_row(const HttpRow& row, const std::vector<std::vector<Figures>>& rounds) const {
  fmt::print("{}\n", row.text);
  for (std::size_t server = 0; server < servers_.size(); ++server) {
    const auto of = [&](auto field) { return median_of(rounds, server, field); };
    if (of(&Figures::requests_per_second) == 0) continue;
    fmt::print(
        "  {:<12} {:>9.0f} requests/s {:>8.0f} MB/s {:>9.2f} us CPU a request   p99 {:>8.0f}"
        " us   client {:>3.0f} % busy\n",
        names_[server], of(&Figures::requests_per_second), of(&Figures::mb_per_second),
        of(&Figures::cpu_us), of(&Figures::p99_us), of(&Figures::client_busy) * 100);
  }
  std::vector<double> rate, cpu, echo;
  for (const auto& round : rounds) {
    double peer_rate = 0;
    double peer_cpu = std::numeric_limits<double>::infinity();
    for (std::size_t server = 1; server + 1 < servers_.size(); ++server) {
      peer_rate = std::max(peer_rate, round[server].requests_per_second);
      peer_cpu = std::min(peer_cpu, round[server].cpu_us);
    }
    if (peer_rate > 0) {
      rate.push_back(round[ours].requests_per_second / peer_rate);
      cpu.push_back(round[ours].cpu_us / peer_cpu);
    }
    if (row.echo_size > 0) echo.push_back(round[ours].cpu_us / round.back().cpu_us);
  }
  bool missed = false;
  if (!rate.empty()) {
    const MedianInterval rates = bootstrap_median(rate);
    const MedianInterval costs = bootstrap_median(cpu);
    const HttpTarget& target = row.target;
    const bool met = (target.rate_min && rates.median >= *target.rate_min) ||
                     (target.cpu_max && costs.median <= *target.cpu_max);
    missed = (target.rate_min || target.cpu_max) && !met;
    fmt::print("  to the best peer: requests {}, CPU {}   {}", interval_text(rates),
               interval_text(costs),
               !target.rate_min && !target.cpu_max ? ""
               : met                               ? "ok"
                                                   : "BELOW");
    if (target.rate_min) fmt::print(": requests >= {:g}", *target.rate_min);
    if (target.cpu_max) fmt::print(" or CPU <= {:g}", *target.cpu_max);
    fmt::print("\n");
  }
  if (!echo.empty()) {
    fmt::print("  to our own echo of as many bytes: CPU {}\n",
               interval_text(bootstrap_median(echo)));
  }
  fmt::print("\n");
  std::fflush(stdout);
  return missed;
}

// 70 % of what the best peer can do, at fixed times, whatever the servers do.
void Bench::show_open_loop(const HttpRow& row, double peer_peak) {
  HttpRow open = row;
  open.text = fmt::format("{}, open loop at {:.0f}/s, 70 % of the best peer's most", row.text,
                          0.7 * peer_peak);
  open.target = {};
  open.echo_size = 0;
  std::vector<std::vector<Figures>> rounds;
  for (unsigned round = 0; round < options_.rounds; ++round) {
    rounds.push_back(measure_round(open, {"--rate", fmt::format("{:.0f}", 0.7 * peer_peak)}));
  }
  fmt::print("{}\n", open.text);
  for (std::size_t server = 0; server + 1 < servers_.size(); ++server) {
    fmt::print("  {:<12} p99 {:>8.0f} us   p99.9 {:>8.0f} us\n", names_[server],
               median_of(rounds, server, &Figures::p99_us),
               median_of(rounds, server, &Figures::p999_us));
  }
  fmt::print("\n");
}

bool Bench::run() {
  start_servers();
  // Every server under every load with every byte compared, before anything is measured.
  for (const HttpRow& row : rows_) {
    for (std::size_t server = 0; server < servers_.size(); ++server) {
      if (row.echo_size == 0 && server + 1 == servers_.size()) continue;
      measure(row, server, {}, true, 0.1);
    }
  }
  bool missed = false;
  for (const HttpRow& row : rows_) {
    std::vector<std::vector<Figures>> rounds;
    for (unsigned round = 0; round < options_.rounds; ++round) {
      rounds.push_back(measure_round(row, {}));
    }
    missed = show_row(row, rounds) || missed;
    if (row.name != "1KiB-64") continue;
    double peer_peak = 0;
    for (std::size_t server = 1; server + 1 < servers_.size(); ++server) {
      peer_peak = std::max(peer_peak, median_of(rounds, server, &Figures::requests_per_second));
    }
    if (peer_peak > 0) show_open_loop(row, peer_peak);
  }
  return missed;
}

void Bench::run_memory() {
  start_servers();
  for (std::size_t server = 0; server + 1 < servers_.size(); ++server)
    fmt::print("{}\n", idle_memory(names_[server], servers_[server], beside_ / "ringload"));
  fmt::print("{}", site_memory(ours_alone(), std::filesystem::absolute(options_.directory),
                               beside_ / "ringload"));
}

bool Bench::run_churn() {
  const std::filesystem::path site = std::filesystem::absolute(options_.directory) / "site";
  make_http_site(site);
  fmt::print("{}\n\n", machine_text(find_circumstances()));
  const ChurnGrowth growth = churn_growth(ours_alone(), site, beside_ / "ringload", options_.churn);
  fmt::print("{}", to_text(growth));
  return growth.grew();
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  const lab::HttpBenchOptions options = lab::parse_options(argc, argv);
  try {
    std::filesystem::create_directories(options.directory);
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, lab::on_signal);
    lab::take_priority();
    lab::Bench bench(options);
    bool missed = false;
    if (options.memory) {
      bench.run_memory();
    } else if (options.churn > 0) {
      missed = bench.run_churn();
    } else {
      missed = bench.run();
    }
    if (!lab::output_written("bench-http")) return 2;
    // A few short rounds are for looking, not for judging.
    return missed && !options.brief ? 1 : 0;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    lab::complain("bench-http: {}", error.what());
    return 2;
  }
}
