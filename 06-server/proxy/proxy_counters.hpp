// What one worker of the proxy counts: for each upstream, and of all.
//
// Lifetime: the counters themselves are in memory that others may read, see worker_stats.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

class ProxyCounters {
 public:
  /// @param upstreams their names, which outlive what is made of them
  static std::vector<CounterInfo> infos(std::span<const std::string> upstreams) {
    std::vector<CounterInfo> all;
    for (const std::string& name : upstreams) {
      all.push_back({"proxy_connected", "Clients that an upstream took", "upstream", name});
    }
    for (const std::string& name : upstreams) {
      all.push_back({"proxy_failed", "Connects that an upstream refused, or did not answer in time",
                     "upstream", name});
    }
    all.push_back({"proxy_timeouts", "Of the failed ones: those that were not answered in time"});
    all.push_back({"proxy_unserved", "Clients that no upstream took: they were closed"});
    all.push_back({"proxy_lost", "Pairs that ended by a reset or a timeout of one side"});
    return all;
  }

  /// Where failed() of an upstream stands among infos().
  static std::size_t failed_index(std::size_t upstreams, std::size_t upstream) noexcept {
    return upstreams + upstream;
  }

  /// @param counters as infos() names them
  explicit ProxyCounters(std::span<Counter> counters) noexcept : counters_(counters) {}

  Counter& connected(std::size_t upstream) noexcept { return counters_[upstream]; }
  Counter& failed(std::size_t upstream) noexcept {
    return counters_[failed_index((counters_.size() - plain) / 2, upstream)];
  }
  Counter& timeouts() noexcept { return counters_[counters_.size() - 3]; }
  Counter& unserved() noexcept { return counters_[counters_.size() - 2]; }
  Counter& lost() noexcept { return counters_[counters_.size() - 1]; }

 private:
  static constexpr std::size_t plain = 3;
  std::span<Counter> counters_;
};

}  // namespace lab
