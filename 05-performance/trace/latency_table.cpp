#include "05-performance/trace/latency_table.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "05-performance/lib/trace.hpp"

namespace lab {

namespace {

namespace fs = std::filesystem;

constexpr const char* tracefs = "/sys/kernel/tracing/events/io_uring";

std::string program_path(const char* name) {
  const char* variable = std::getenv("PATH");
  std::istringstream folders(variable != nullptr ? variable : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string path = folder + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string script_path() { return fs::read_symlink("/proc/self/exe").string() + ".bt"; }

/// Everything that the program prints on either stream.
std::string output_of(std::array<std::string, 5> words) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::array<char*, 6> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  pid_t child = -1;
  const int error =
      posix_spawn(&child, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  std::array<char, 4096> piece{};
  ssize_t size = 0;
  while ((size = read(ends[0], piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  if (error == 0) waitpid(child, nullptr, 0);
  return text;
}

// bpftrace 0.17 says so wherever it may not raise the limit, and works all the same.
bool is_known_noise(std::string_view line) {
  return line.find("RLIMIT_MEMLOCK") != std::string_view::npos;
}

std::string microseconds(std::uint64_t nanoseconds) {
  return fmt::format("{:.1f}", static_cast<double>(nanoseconds) / 1000);
}

void print_table(const LatencyTable& table) {
  fmt::print("  {:<18}{:>10}{:>12}{:>12}{:>12}{:>12}\n", "", "count", "p50 us", "p99 us", "io-wq",
             "multishot");
  for (const auto& [opcode, one] : table) {
    const bool measured = one.count != 0;
    fmt::print("  {:<18}{:>10}{:>12}{:>12}{:>12}{:>12}\n",
               opcode < 0 ? "armed before" : operation_name(static_cast<unsigned>(opcode)),
               one.count, measured ? microseconds(one.percentile_ns(50)) : "-",
               measured ? microseconds(one.percentile_ns(99)) : "-", one.worker, one.more);
  }
  fmt::print(
      "count: began and ended meanwhile; p50, p99: from the SQE taken to the last CQE; io-wq: "
      "went\n"
      "to a worker thread; multishot: CQEs that are not the last. A percentile is at most 6 % too\n"
      "large.\n");
}

}  // namespace

std::uint64_t OperationLatency::percentile_ns(double percent) const {
  std::uint64_t seen = 0;
  for (const auto& [upper, many] : buckets) {
    seen += many;
    if (static_cast<double>(seen) >= percent / 100 * static_cast<double>(count)) return upper;
  }
  return 0;
}

LatencyTable parse_latencies(std::string_view text) {
  LatencyTable table;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    int opcode = 0;  // one more than the operation's number
    unsigned shift = 0;
    unsigned long long bits = 0;
    unsigned long long many = 0;
    if (std::sscanf(line.c_str(), "@latency[%d, %u, %llu]: %llu", &opcode, &shift, &bits, &many) ==
            4 &&
        shift < 58) {
      OperationLatency& one = table[opcode - 1];
      one.buckets[((bits + 1) << shift) - 1] += many;
      one.count += many;
    } else if (std::sscanf(line.c_str(), "@worker[%d]: %llu", &opcode, &many) == 2) {
      table[opcode - 1].worker += many;
    } else if (std::sscanf(line.c_str(), "@more[%d]: %llu", &opcode, &many) == 2) {
      table[opcode - 1].more += many;
    }
  }
  return table;
}

std::string why_no_latencies() {
  if (program_path("bpftrace").empty()) {
    return "bpftrace is not installed.\n  Cure: apt-get install bpftrace";
  }
  if (geteuid() != 0) return "bpftrace needs root.\n  Cure: sudo ./lab trace PID";
  if (!fs::exists(tracefs)) {
    return fmt::format(
        "{} is not there.\n  Cure: mount -t tracefs tracefs /sys/kernel/tracing (in a container: "
        "on "
        "the host)",
        tracefs);
  }
  if (!fs::exists(fs::path(tracefs) / "io_uring_submit_req")) {
    return "this kernel has no tracepoint io_uring_submit_req, which says when a request begins.\n"
           "  Older kernels name it otherwise. Cure: a newer kernel, or fdinfo alone";
  }
  if (!fs::exists(script_path())) return script_path() + " is not there.\n  Cure: build it again";
  return {};
}

void print_latencies(pid_t pid, unsigned seconds) {
  std::string reason = why_no_latencies();
  if (reason.empty()) {
    setenv("BPFTRACE_MAP_KEYS_MAX", "65536", 0);  // requests in flight that it can remember
    const std::string text = output_of({program_path("bpftrace"), "-q", script_path(),
                                        std::to_string(pid), std::to_string(seconds)});
    const LatencyTable table = parse_latencies(text);
    if (!table.empty()) {
      fmt::print("\noperations of the whole process within {} s\n", seconds);
      print_table(table);
      return;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const bool error = line.starts_with("ERROR") || line.find("error") != std::string::npos;
      if (error && !is_known_noise(line)) reason += "bpftrace says: " + line + "\n";
    }
    if (reason.empty()) {
      fmt::print("\noperations: none ended within {} s\n", seconds);
      return;
    }
  }
  fmt::print("\nNo latencies: {}\n", reason);
}

}  // namespace lab
