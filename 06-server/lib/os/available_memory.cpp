#include "06-server/lib/os/available_memory.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

namespace lab {

namespace {

std::uint64_t number_in(const std::string& path, std::uint64_t otherwise) {
  std::uint64_t number = 0;
  return std::ifstream(path) >> number ? number : otherwise;
}

// The number behind a name in a file of "name number" lines.
std::uint64_t named_number(const std::string& path, std::string_view wanted,
                           std::uint64_t otherwise) {
  std::ifstream file(path);
  std::string name;
  std::uint64_t number = 0;
  std::string rest;
  while (file >> name >> number && std::getline(file, rest)) {
    if (name == wanted) return number;
  }
  return otherwise;
}

}  // namespace

std::uint64_t left_on_machine(const std::string& meminfo) {
  constexpr std::uint64_t none = UINT64_MAX >> 10U;
  return named_number(meminfo, "MemAvailable:", none) << 10U;
}

std::uint64_t left_in_group(const std::string& folder) {
  // "max" is no number, and no limit.
  const std::uint64_t limit = number_in(folder + "/memory.max", UINT64_MAX);
  if (limit == UINT64_MAX) return limit;
  const std::string stat = folder + "/memory.stat";
  const std::uint64_t cache =
      named_number(stat, "active_file", 0) + named_number(stat, "inactive_file", 0);
  const std::uint64_t current = number_in(folder + "/memory.current", 0);
  const std::uint64_t used = current > cache ? current - cache : 0;
  return limit > used ? limit - used : 0;
}

std::uint64_t available_memory() {
  std::uint64_t left = left_on_machine("/proc/meminfo");
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("0::")) {
      left = std::min(left, left_in_group("/sys/fs/cgroup" + line.substr(3)));
    }
  }
  return left;
}

}  // namespace lab
