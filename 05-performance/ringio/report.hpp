// What a run found out, as text for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "05-performance/lib/latency_histogram.hpp"
#include "05-performance/ringio/job.hpp"
#include "05-performance/ringio/options.hpp"
#include "05-performance/ringio/timeline.hpp"

namespace lab {

/// The measured interval of all jobs together: warm-up and reading back are in none of these.
struct IoReport {
  double seconds = 0;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t system_calls = 0;
  unsigned jobs_unregistered = 0;  ///< whose buffers are not registered, asked for or not
  unsigned jobs_plain_pages = 0;   ///< whose registered buffers lie in no huge pages
  double cpu_s = 0;                ///< of the process, with the kernel's threads for its rings
  LatencyHistogram read_latency;
  LatencyHistogram write_latency;
  Timeline timeline;

  std::optional<double> sync_s;  ///< what making the writes durable took after the run
  bool read_back = false;        ///< what was written was read again
  std::uint64_t blocks_checked = 0;
  std::uint64_t content_errors = 0;
  IoFailure failure;
  bool interrupted = false;  ///< Ctrl-C
  std::vector<std::string> names;
  std::uint64_t blocks = 0;  ///< of each file
  bool own = false;

  std::uint64_t operations() const noexcept { return reads + writes; }
  double per_second(std::uint64_t amount) const noexcept {
    return seconds > 0 ? static_cast<double>(amount) / seconds : 0;
  }
  double per_operation(double amount) const noexcept {
    return operations() > 0 ? amount / static_cast<double>(operations()) : 0;
  }
};

std::string to_text(const IoOptions& options, const IoReport& report);
/// One object, one line.
std::string to_json(const IoOptions& options, const IoReport& report);
/// What went wrong first, in a sentence.
std::string to_text(const IoFailure& failure, const std::vector<std::string>& names);

}  // namespace lab
