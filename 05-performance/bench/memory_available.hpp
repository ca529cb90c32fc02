// Whether the machine has the memory that a load asks for. Without this question the kernel answers
// it: it promises memory that it does not have, and kills who uses it.
#pragma once

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>

namespace lab {

/// Bytes that this process may still get, as far as that is known: what the kernel can give without
/// swapping (MemAvailable, proc_meminfo(5)), in a container no more than its limit (memory.max of
/// control groups v2), and no more than RLIMIT_AS.
inline std::uint64_t memory_available() {
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  std::uint64_t kib = 0;
  for (std::string word; meminfo >> word;) {
    if (word == "MemAvailable:" && meminfo >> kib) bytes = kib << 10;
  }
  std::uint64_t container = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> container) bytes = std::min(bytes, container);
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    bytes = std::min(bytes, std::uint64_t{limit.rlim_cur});
  }
  return bytes;
}

/// @param asked what it is for, in the words of the options: "--depth 8 x --block-size 4096"
/// @param cure  what asks for less
/// @throws std::runtime_error when there is less memory than `bytes`
inline void need_memory(std::uint64_t bytes, const std::string& asked, const char* cure) {
  const std::uint64_t available = memory_available();
  if (bytes <= available) return;
  throw std::runtime_error(
      fmt::format("{}: that takes {} MiB of memory, and {} MiB are to be had "
                  "here (free, or a limit). Cure: {}",
                  asked, bytes >> 20, available >> 20, cure));
}

}  // namespace lab
