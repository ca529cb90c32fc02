// The counters of all workers as Prometheus reads them (text format 0.0.4).
//
// Each number has two names: lab_NAME is of the whole server, lab_worker_NAME of each worker, with
// a label. In one family a sum over the labels would count everything twice.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// What was read of all counters.
struct MetricsReading {
  std::span<const CounterInfo> infos;     ///< those of Stat first
  std::span<const std::uint64_t> values;  ///< worker after worker, for each as many as infos

  /// Workers that the reading is of.
  std::size_t workers() const noexcept { return values.size() / infos.size(); }
  /// One worker's value of one counter, both from 0.
  std::uint64_t of(std::size_t worker, std::size_t index) const noexcept {
    return values[worker * infos.size() + index];
  }
};

/// Takes no memory where the text has room for it.
void append_metrics(std::string& text, const MetricsReading& reading);

}  // namespace lab
