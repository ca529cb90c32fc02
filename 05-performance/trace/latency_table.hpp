// The second half of ring-trace: how long operations take, from bpftrace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lab {

/// What latency.bt counted of one operation.
struct OperationLatency {
  std::map<std::uint64_t, std::uint64_t> buckets;  ///< upper end in ns: how many
  std::uint64_t count = 0;   ///< requests that began and ended while it watched
  std::uint64_t worker = 0;  ///< handed to a worker thread
  std::uint64_t more = 0;    ///< CQEs of multishots that were not their last

  /// The upper end of the bucket in which the percentile is: at most 6 % too large.
  std::uint64_t percentile_ns(double percent) const;
};

/// By opcode; -1: the operation is not known, for it was armed before bpftrace began.
using LatencyTable = std::map<int, OperationLatency>;

/// Parses what bpftrace prints of the script's maps.
LatencyTable parse_latencies(std::string_view text);

/// Why there can be no table, with what helps; empty when there can be one.
std::string why_no_latencies();

/// Runs the script on the process for so long and prints the table, or why there is none.
void print_latencies(pid_t pid, unsigned seconds);

}  // namespace lab
