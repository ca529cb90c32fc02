// What idle connections cost in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "05-performance/bench/program.hpp"

namespace lab {

struct MemoryResult {
  std::string server;
  unsigned connections = 0;
  std::uint64_t start_bytes = 0;  ///< resident memory of all its processes after start
  std::uint64_t idle_bytes = 0;   ///< the same with the idle connections

  std::int64_t growth_bytes() const noexcept {
    return static_cast<std::int64_t>(idle_bytes) - static_cast<std::int64_t>(start_bytes);
  }
};

/// Growth that the capstone may show with 10,000 idle connections.
inline constexpr std::int64_t memory_growth_max = std::int64_t{1} << 20;

/// Resident memory of a process and its descendants, from /proc/PID/smaps_rollup (Linux 4.14).
std::uint64_t resident_bytes(pid_t root);

/// Opens `connections`, asks one question on each, waits until the memory stands still, and closes
/// them.
/// @param question what each is asked; an echo gets a byte
/// @param answer_size bytes that come back
/// @throws std::system_error, std::runtime_error
MemoryResult measure_memory(const std::string& name, const Server& server, unsigned connections,
                            std::string_view question = "x", std::size_t answer_size = 1);

std::string to_text(const MemoryResult& result);

}  // namespace lab
