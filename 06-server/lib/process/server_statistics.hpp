// What all workers counted, their dead predecessors too: as lines of the log, and as JSON lines for
// --stats-json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/output.hpp"
#include "06-server/lib/process/server_log.hpp"
#include "06-server/lib/process/server_report.hpp"
#include "06-server/lib/process/topology.hpp"

namespace lab {

/// The blocks of all workers, and the reports that are made of them. Lifetime: the supervisor's;
/// made before the fork, since workers count in its memory.
class ServerStatistics {
 public:
  /// Opens the file, and leaves it as it is until begin().
  /// @param own what the workers count beside the statistics of all servers
  /// @param json_file one JSON object per report goes there; "-": standard output; "": nowhere
  /// @throws std::system_error; ENXIO for a FIFO that nobody reads
  ServerStatistics(Ring& ring, const ProcessLayout& layout, std::span<const CounterInfo> own,
                   const std::string& json_file);

  /// The server has its port: the file is emptied, and time begins.
  void begin(std::uint64_t now_ns);

  /// What the worker counts in.
  WorkerStats& block(unsigned worker) const noexcept { return shared_[worker]; }
  /// What the worker counts beside the statistics of all servers.
  std::span<Counter> own(unsigned worker) const noexcept { return shared_.own(worker); }
  /// The blocks, for another reader.
  const SharedStats& shared() const noexcept { return shared_; }
  /// Of all counters of a worker.
  std::span<const CounterInfo> infos() const noexcept { return infos_; }
  /// A process is gone, and its connections are closed.
  void retire(unsigned process);
  /// Connections that were open when the process was retired.
  std::uint64_t lost(unsigned process) const noexcept { return lost_[process]; }
  /// One counter of all that count in the process.
  std::uint64_t of_process(unsigned process, Stat stat) const noexcept;

  /// Since the last report; an idle server is silent in the log, unless somebody asked.
  void report_interval(ServerLog& log, std::uint64_t now_ns, bool asked);
  /// Since the start.
  void report_summary(ServerLog& log, std::uint64_t now_ns);
  /// The connections that its workers reset when a drain took too long.
  std::uint64_t drain_resets() const;

  /// True once as many reports as there were are written.
  bool written() const noexcept { return !json_ || (json_->idle() && json_->lost() == 0); }
  /// True when nothing is with the kernel.
  bool idle() const noexcept { return !json_ || json_->idle(); }
  /// Nothing more is written.
  void close() noexcept;
  /// Says once what could not be written.
  void report_losses(ServerLog& log);

 private:
  std::vector<CounterValues> all() const;
  CounterValues total() const { return sum(all(), infos_.size()); }
  void write_json(const std::vector<CounterValues>& workers, std::uint64_t now_ns);
  double seconds(std::uint64_t now_ns) const noexcept {
    return static_cast<double>(now_ns - start_ns_) / 1e9;
  }

  const ProcessLayout layout_;
  const std::string json_file_;
  const std::vector<CounterInfo> infos_;  ///< of all counters: those of Stat, then the own ones
  SharedStats shared_;                    ///< who has which block: ProcessLayout
  std::vector<std::uint64_t> lost_;       ///< see lost()
  Fd file_;
  std::optional<Output> json_;
  bool losses_told_ = false;
  std::uint64_t start_ns_ = 0;
  std::uint64_t reported_ns_ = 0;
  CounterValues reported_;
};

}  // namespace lab
