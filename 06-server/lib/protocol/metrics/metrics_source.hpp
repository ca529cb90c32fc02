// What the admin port shows, as the site of an HttpStatic: /metrics and /healthz.
//
// Lifetime: outlives the connections. Rule: an answer shows one reading from its first byte to its
// last; while a client has not taken its answer, the text of that reading stays.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/protocol/http/http_static.hpp"
#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/protocol/metrics/metrics_text.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// One for the admin process. Source of an HttpStatic.
class MetricsSource : public SegmentOwner {
 public:
  /// @param infos of all counters, those of Stat first; they and the counters outlive this
  MetricsSource(const SharedStats& stats, std::span<const CounterInfo> infos, std::size_t workers);
  MetricsSource(const MetricsSource&) = delete;
  MetricsSource& operator=(const MetricsSource&) = delete;

  /// Takes no memory.
  Found find(std::string_view decoded_path) noexcept;
  /// Keeps what the latest find() gave.
  Segment pin() noexcept;
  /// @param bytes of what find() gave
  Segment segment(std::span<const std::byte> bytes) noexcept;
  /// For every answer: a reading is of its moment.
  std::string_view common_fields() const noexcept { return "Cache-Control: no-store\r\n"; }
  /// None: no other site's page may read it.
  std::string_view preflight_fields() const noexcept { return {}; }

 private:
  // One reading, as text.
  struct Reading {
    std::string text;  ///< its memory never moves
    Variant variant;
    Resource resource;
    unsigned readers = 0;
  };
  // Who scrapes takes the whole at once, so two at a time are many.
  static constexpr std::size_t readings_max = 4;
  static constexpr std::size_t nobody = readings_max;

  Found find_metrics() noexcept;
  void read_all() noexcept;
  bool anybody_serves() const noexcept;

  const SharedStats& stats_;
  const std::span<const CounterInfo> infos_;
  const std::size_t workers_;
  std::vector<std::uint64_t> values_;  ///< of the latest reading
  std::array<Reading, readings_max> readings_;
  std::size_t latest_ = nobody;  ///< the reading that the latest find() gave
  Variant healthy_;
  Resource health_;
};

/// The protocol of the admin port.
using Metrics = HttpStatic<MetricsSource>;

}  // namespace lab
