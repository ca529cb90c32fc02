// Turns the workers' counters into lines for people and into JSON for programs.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// The counters of an interval: later minus earlier.
StatValues difference(const StatValues& later, const StatValues& earlier) noexcept;

/// The sum over workers.
StatValues sum(std::span<const StatValues> workers) noexcept;

/// One line: connections now, then rates over `seconds`.
/// @param now the counters since the start
/// @param interval their growth in the last `seconds`
std::string describe(const StatValues& now, const StatValues& interval, double seconds);

/// One JSON object without a line break, everything since the start:
/// {"seconds":…, "connections":…, "accepted":…, …, "workers":[{…},…]} with the names of
/// stat_name(); at the top level stand the totals, so that a shell script finds them.
std::string to_json(std::span<const StatValues> workers, double seconds);

/// "12.3 k", "4.56 M": four characters and a unit.
std::string short_number(double value);

}  // namespace lab
