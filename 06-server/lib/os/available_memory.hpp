// How much memory the machine, or the control group of this process, has left.
#pragma once

#include <cstdint>
#include <string>

namespace lab {

/// Bytes that the machine and the control group would still give.
std::uint64_t available_memory();
/// MemAvailable of a file like /proc/meminfo; no limit where it says none.
std::uint64_t left_on_machine(const std::string& meminfo);
/// What a control group of version 2 may still take: its limit, less what it uses, but for the
/// files in its cache, which make room. Groups above it are not asked.
std::uint64_t left_in_group(const std::string& folder);

}  // namespace lab
