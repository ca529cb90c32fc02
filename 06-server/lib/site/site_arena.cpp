#include "06-server/lib/site/site_arena.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "01-core/lib/check.hpp"
#include "06-server/lib/os/memory_file.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_format.hpp"

namespace lab {

namespace {

constexpr std::uint64_t alignment = 64;

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

SiteArena::SiteArena(std::uint64_t bytes_max)
    : bytes_max_(bytes_max), memory_(memory_file("site")), used_(site_header_size) {}

std::uint64_t SiteArena::append(std::span<const std::byte> bytes) {
  const std::uint64_t size = (bytes.size() + alignment - 1) / alignment * alignment;
  const std::uint64_t offset = used_.fetch_add(size);
  if (offset + size > bytes_max_) {
    throw SiteError(
        fmt::format("the site does not fit into the memory for it ({} MiB). Cure: a smaller "
                    "--memory-limit-file, so that large files are streamed, or more memory",
                    bytes_max_ >> 20U));
  }
  write(offset, bytes);
  return offset;
}

void SiteArena::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done =
        pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      throw SiteError(fmt::format(
          "no memory for the site: {}. Cure: a smaller --memory-limit-file, so that large files "
          "are streamed, or more memory",
          std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

Fd SiteArena::finish() {
  check_errno(ftruncate(memory_.get(), static_cast<off_t>(size())), "ftruncate");
  seal_size(memory_);
  return std::move(memory_);
}

}  // namespace lab
