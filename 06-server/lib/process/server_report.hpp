// Turns the workers' counters into lines for people and into JSON for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// The counters of an interval: later minus earlier.
CounterValues difference(const CounterValues& later, const CounterValues& earlier);

/// The sum over workers.
/// @param counters how many each has
CounterValues sum(std::span<const CounterValues> workers, std::size_t counters);

/// One line: connections now, rates over `seconds`, and, with many of them, what a request costs.
/// @param now the counters since the start, those of Stat first
/// @param interval their growth in the last `seconds`
std::string describe(std::span<const std::uint64_t> now, std::span<const std::uint64_t> interval,
                     double seconds);

/// What a protocol counted, as far as it is not 0: "http_answers 200: 5, 404: 1 | http_body_bytes:
/// 12". Empty: nothing.
std::string describe_own(std::span<const CounterInfo> infos, std::span<const std::uint64_t> values);

/// One JSON object without a line break, everything since the start:
/// {"seconds":…, "connections":…, "accepted":…, "http_answers":{"200":…,…}, …, "workers":[{…},…]}
/// with the names of `infos`; at the top level stand the totals, so that a shell script finds them.
std::string to_json(std::span<const CounterInfo> infos, std::span<const CounterValues> workers,
                    double seconds);

/// The most bytes that to_json() writes for so many workers.
std::size_t json_size_max(std::span<const CounterInfo> infos, std::size_t workers);

/// "12.3 k", "4.56 M": four characters and a unit.
std::string short_number(double value);

}  // namespace lab
