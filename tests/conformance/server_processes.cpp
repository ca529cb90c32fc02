#include "tests/conformance/server_processes.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace lab {

namespace {

// Adds the children of `pid`, and theirs, to `pids`.
void add_children(int pid, std::vector<int>& pids) {
  pids.push_back(pid);
  std::ifstream list(fmt::format("/proc/{}/task/{}/children", pid, pid));
  for (int child = 0; list >> child;) add_children(child, pids);
}

std::vector<int> with_children(const std::vector<int>& pids) {
  std::vector<int> all;
  for (const int pid : pids) add_children(pid, all);
  return all;
}

}  // namespace

std::int64_t cpu_ticks(const std::vector<int>& pids) {
  std::int64_t ticks = 0;
  for (const int one : with_children(pids)) {
    std::ifstream file(fmt::format("/proc/{}/stat", one));
    std::string text;
    std::getline(file, text);
    // The name in brackets may hold blanks. utime and stime are fields 14 and 15, the state after
    // it is 3.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(text.substr(name_end + 1));
    std::string field;
    for (int number = 3; fields >> field; ++number) {
      if (number == 14 || number == 15) ticks += std::stoll(field);
    }
  }
  return ticks;
}

Milliseconds waited_for_processor(const std::vector<int>& pids) {
  std::chrono::nanoseconds all{};
  for (const int one : with_children(pids)) {
    // A process that ends meanwhile has no threads any more.
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", one), gone)) {
      std::ifstream file(thread.path() / "schedstat");
      std::int64_t ran = 0;
      std::int64_t waited = 0;
      if (file >> ran >> waited) all += std::chrono::nanoseconds(waited);
    }
  }
  return std::chrono::duration_cast<Milliseconds>(all);
}

}  // namespace lab
