#include <fmt/format.h>
#include <regex.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/host_port.hpp"
#include "tests/conformance/cases.hpp"

// conformance: a black-box client for any TCP echo server. It runs each case, checks every byte,
// and prints a table of what passed, what failed and what was seen.

namespace lab {

namespace {

constexpr int runs_max = 3;

enum class Verdict { pass, fail, skip };

struct Result {
  Verdict verdict = Verdict::pass;
  std::string seen;
};

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "PASS";
    case Verdict::fail:
      return "FAIL";
    case Verdict::skip:
      return "SKIP";
  }
  return "?";
}

// What CommandLine asks of a validator: the complaint about `text`, empty when it is an extended
// regular expression.
std::string is_regex(const std::string& text) {
  regex_t compiled;
  const int error = regcomp(&compiled, text.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error == 0) {
    regfree(&compiled);
    return {};
  }
  std::array<char, 128> words = {};
  regerror(error, &compiled, words.data(), words.size());
  return fmt::format("{} is no regular expression: {}", text, words.data());
}

// REQUIRES: is_regex() had no complaint.
bool matches(const char* name, const std::string& expression) {
  regex_t compiled;
  if (regcomp(&compiled, expression.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool found = regexec(&compiled, name, 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found;
}

// Runs the case once. MachineBusy and TakenForIdle pass through: they are no verdict.
Result run_once(const Case& one, const Settings& settings, DelayMeter& delay) {
  const auto limit = std::chrono::duration_cast<Clock::duration>(one.limit * settings.time_scale);
  Context context(settings, delay, limit);
  context.may_shed = !settings.may_shed.empty() && matches(one.name, settings.may_shed);
  context.watch_delays();
  try {
    one.run(context);
    return {.verdict = Verdict::pass, .seen = context.seen};
  } catch (const Skip& reason) {
    return {.verdict = Verdict::skip, .seen = reason.what()};
  } catch (const Failure& failure) {
    return {.verdict = Verdict::fail, .seen = failure.what()};
  }
}

void print_again(const Case& one, const std::exception& why) {
  fmt::print("{:<20}again            {}\n", one.name, why.what());
  std::fflush(stdout);
}

// A machine that is too busy to run this client or the server is no fault of the server, and no
// excuse for it either: the case is run again, and the table says so. Where it stays so, nothing
// can be said about the server's times here.
Result run_case(const Case& one, const Settings& settings, DelayMeter& delay) {
  for (int run = 1;; ++run) {
    try {
      Result result = run_once(one, settings, delay);
      if (run > 1) result.seen += fmt::format(" (run {} of {})", run, runs_max);
      return result;
    } catch (const MachineBusy& busy) {
      if (run == runs_max) {
        return {.verdict = Verdict::skip,
                .seen = fmt::format("no verdict: {}, in each of {} runs", busy.what(), runs_max)};
      }
      print_again(one, busy);
    } catch (const TakenForIdle& reset) {
      if (run == runs_max) {
        return {.verdict = Verdict::fail,
                .seen = fmt::format("{}, in each of {} runs", reset.what(), runs_max)};
      }
      print_again(one, reset);
    }
  }
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& group :
       {content_cases(), pressure_cases(), ending_cases(), crowd_cases(), tls_cases()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

bool chosen(const Case& one, const std::string& only, const std::string& skip) {
  return (only.empty() || matches(one.name, only)) && (skip.empty() || !matches(one.name, skip));
}

// Runs what was chosen and prints the table. Returns the exit code.
int run_all(const std::vector<Case>& cases, const Settings& settings) {
  std::array<int, 3> counts = {};
  DelayMeter delay;
  fmt::print("{}, seed {}\n{:<20}{:<8}{:>7}  {}\n", settings.server.text, settings.seed, "case",
             "result", "seconds", "seen");
  for (const Case& one : cases) {
    const auto begin = Clock::now();
    const Result result = run_case(one, settings, delay);
    ++counts[static_cast<std::size_t>(result.verdict)];
    fmt::print("{:<20}{:<8}{:>7.2f}  {}\n", one.name, word(result.verdict),
               in_ms(Clock::now() - begin) / 1000, result.seen);
    std::fflush(stdout);
  }
  fmt::print("{} passed, {} failed, {} skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  CommandLine line(
      "conformance",
      "A black-box client for any TCP echo server. Every byte is checked: what a connection sends "
      "is a function\n"
      "of the seed, the connection and the position, so lost, repeated, moved and foreign bytes "
      "are all found,\n"
      "and the table says what happened at which byte. Exit code 1 when a case failed.\n\n"
      "  conformance 127.0.0.1 8000\n"
      "  conformance ::1 8000 --only 'stalled|flood' --server-limit 1000 --server-pid $(pidof "
      "echo-server)");
  Settings settings;
  std::string address;
  std::optional<std::uint16_t> port;
  std::string only;
  std::string skip;
  bool list = false;
  const WordCheck regex{is_regex, "REGEX"};

  line.add_option("HOST", address,
                  "Name, IPv4 or IPv6 address of the server, also as HOST:PORT or [IPV6]:PORT");
  line.add_option("PORT", port, "Its port").check(in_range(1, 65535));
  line.add_flag("--list", list, "Print the cases and what each demands");
  line.add_option("--only", only, "Run the cases whose name this matches").check(regex);
  line.add_option("--skip", skip, "Leave out the cases whose name this matches").check(regex);
  line.add_flag("--quick", settings.quick,
                "Fewer rounds in every case, for runs that try many configurations");
  line.add_flag("--tls", settings.tls,
                "Over TLS, with any certificate. A FIN is then close_notify and a FIN, and one "
                "without the other is a failure");
  line.add_option("--seed", settings.seed, "Repeats a run: same bytes, same sizes")
      .capture_default_str();
  line.add_option(
          "--time-scale", settings.time_scale,
          "Multiplies every deadline and the 500 ms limit, for slow machines and sanitizers")
      .check(in_range(0.01, 100.0))
      .capture_default_str();
  line.add_option("--stream-bytes", settings.stream_bytes,
                  "Size of the case stream; 8388608 suits a server with tiny buffers")
      .check(in_range(std::uint64_t{1}, std::uint64_t{1} << 40))
      .capture_default_str();
  line.add_option(
          "--idle-connections", settings.idle_connections,
          "How many the case idle opens (default: what this client may have open, see ulimit -n)")
      .check(in_range(1, 1'000'000));
  line.add_option("--server-limit", settings.server_limit,
                  "How many connections the server takes in all; without it, flood is skipped")
      .check(in_range(8, 1'000'000));
  line.add_option(
          "--server-workers", settings.server_workers,
          "Among how many workers the limit is divided; with more than one, each may be full alone")
      .check(in_range(1, 1024))
      .capture_default_str();
  line.add_option("--server-pid", settings.server_pids,
                  "Its process, and once more for what stands behind it: flood looks at the CPU "
                  "that they use (children\n"
                  "too), and a slow answer is no verdict when they had to wait for a processor")
      .check(in_range(1, 1 << 22));
  line.add_option("--stats-file", settings.stats_file,
                  "The server's statistics (JSON lines, a line per interval): stalled peers must "
                  "show in them")
      .check(existing_file());
  line.add_option("--may-shed", settings.may_shed,
                  "In the cases whose name this matches, the server may reset a peer that does not "
                  "read, as it must "
                  "when its buffers are few")
      .check(regex);
  line.parse(argc, argv);

  std::vector<Case> cases;
  for (const Case& one : all_cases()) {
    if (chosen(one, only, skip)) cases.push_back(one);
  }
  if (list) {
    for (const Case& one : cases) fmt::print("{:<20}{}\n", one.name, one.what);
    return 0;
  }
  if (address.empty()) {
    fmt::print(
        stderr,
        "HOST and PORT of the server are needed: conformance 127.0.0.1 8000 (--help says more)\n");
    return 2;
  }
  const HostPort server = split_host_port(address, port);
  if (cases.empty()) {
    fmt::print(stderr, "--only {} --skip {} leaves no case; --list names them\n", only, skip);
    return 2;
  }
  settings.server = resolve(server.host, *server.port);
  // A server that closes while we send is a result and not the end of this program.
  std::signal(SIGPIPE, SIG_IGN);
  return run_all(cases, settings);
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  try {
    return lab::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "conformance: {}\n", error.what());
    return 2;
  }
}
