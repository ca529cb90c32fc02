#include "05-performance/ringload/processor_time.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace lab {

namespace {

std::uint64_t clock_ns(clockid_t id) noexcept {
  timespec time{};
  if (clock_gettime(id, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// Pairs of (process, parent) of everything that runs.
std::vector<std::pair<pid_t, pid_t>> all_processes() {
  std::vector<std::pair<pid_t, pid_t>> processes;
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return processes;
  while (const dirent* entry = readdir(directory)) {
    const pid_t pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) continue;
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(file, line);
    // "pid (name) state parent": the name may hold anything, so the last bracket counts.
    const std::size_t bracket = line.rfind(')');
    if (bracket == std::string::npos || bracket + 4 > line.size()) continue;
    const char* parent = line.c_str() + bracket + 4;
    processes.emplace_back(pid, static_cast<pid_t>(std::strtol(parent, nullptr, 10)));
  }
  closedir(directory);
  return processes;
}

}  // namespace

ProcessorTime ProcessorTime::read(int cpu) {
  std::ifstream file("/proc/stat");
  const std::string wanted = fmt::format("cpu{}", cpu);
  const auto step_ns = 1'000'000'000U / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    if (name != wanted) continue;
    ProcessorTime time;
    fields >> time.user >> time.nice >> time.system >> time.idle >> time.iowait >> time.irq >>
        time.softirq >> time.steal;
    for (std::uint64_t* field : {&time.user, &time.nice, &time.system, &time.idle, &time.iowait,
                                 &time.irq, &time.softirq, &time.steal}) {
      *field *= step_ns;
    }
    time.at_ns = monotonic_ns();
    return time;
  }
  throw std::runtime_error(fmt::format("there is no processor {} in /proc/stat", cpu));
}

ProcessorUse operator-(const ProcessorTime& later, const ProcessorTime& earlier) noexcept {
  const auto seconds = [](std::uint64_t to, std::uint64_t from) {
    return to > from ? static_cast<double>(to - from) * 1e-9 : 0.0;  // idle time can step back
  };
  ProcessorUse use;
  use.elapsed_s = seconds(later.at_ns, earlier.at_ns);
  use.steal_s = seconds(later.steal, earlier.steal);
  use.ticks_s = seconds(later.user, earlier.user) + seconds(later.nice, earlier.nice) +
                seconds(later.system, earlier.system) + seconds(later.irq, earlier.irq) +
                seconds(later.softirq, earlier.softirq);
  const double unused = seconds(later.idle, earlier.idle) + seconds(later.iowait, earlier.iowait);
  use.busy_s = std::max(0.0, use.elapsed_s - unused - use.steal_s);
  return use;
}

ProcessClocks::ProcessClocks(pid_t root) {
  for (const pid_t pid : process_tree(root)) {
    clockid_t id{};
    const int error = clock_getcpuclockid(pid, &id);
    if (error == 0) {
      clocks_.push_back({id, 0});
    } else if (pid == root) {
      throw std::system_error(error, std::generic_category(), fmt::format("process {}", pid));
    }
  }
}

std::uint64_t ProcessClocks::read_ns() noexcept {
  std::uint64_t sum = 0;
  for (Clock& clock : clocks_) {
    clock.last_ns = std::max(clock.last_ns, clock_ns(clock.id));
    sum += clock.last_ns;
  }
  return sum;
}

std::vector<pid_t> process_tree(pid_t root) {
  const auto processes = all_processes();
  std::vector<pid_t> tree{root};
  for (std::size_t index = 0; index < tree.size(); ++index) {
    for (const auto& [pid, parent] : processes) {
      if (parent == tree[index] && pid != root) tree.push_back(pid);
    }
  }
  return tree;
}

std::uint64_t thread_cpu_ns() noexcept { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

std::uint64_t monotonic_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace lab
