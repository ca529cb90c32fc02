// What one worker's HTTP counts: the names, what they mean, and where each is.
//
// Lifetime: the counters themselves are in memory that others may read, see worker_stats.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/protocol/duration_counters.hpp"
#include "06-server/lib/protocol/http/http_status.hpp"
#include "06-server/lib/protocol/line_buffer.hpp"

namespace lab {

/// Why a request was answered before it was read to its end.
enum class Refusal : std::uint8_t {
  malformed,    ///< 400
  too_large,    ///< 413, 414, 431
  slow,         ///< 408: its time was over
  crowded,      ///< 408: others needed the memory that its head was collected in
  unsupported,  ///< 417, 501, 505
  count         ///< how many reasons; none itself
};

/// @param refusal a status that a request is refused with
constexpr Refusal why(Status refusal) noexcept {
  switch (refusal) {
    case Status::content_too_large:
    case Status::uri_too_long:
    case Status::too_many_fields:
      return Refusal::too_large;
    case Status::request_timeout:
      return Refusal::slow;
    case Status::expectation_failed:
    case Status::not_implemented:
    case Status::version_not_supported:
      return Refusal::unsupported;
    default:
      return Refusal::malformed;
  }
}

/// The counters by name. One writer: the worker's thread.
class HttpCounters {
  static constexpr std::size_t refusals_at = statuses.size();
  static constexpr std::size_t plain_at = refusals_at + static_cast<std::size_t>(Refusal::count);
  enum Plain : std::size_t {
    body_bytes_at = plain_at,
    cut_at,
    changed_at,
    parcels_at,
    lines_lost_at,
    times_at = lines_lost_at + line_losses
  };

 public:
  static constexpr std::size_t size = times_at + DurationCounters::size;  ///< how many there are
  static constexpr std::array<CounterInfo, size> infos() noexcept;

  /// @param counters as infos() names them
  explicit HttpCounters(std::span<Counter> counters) noexcept
      : counters_(counters.first<size>()), times_(counters_.subspan<times_at>()) {}

  /// Answers with this status.
  Counter& answers(Status status) noexcept {
    return counters_[places[static_cast<std::size_t>(status) - status_first]];
  }
  /// Requests that were answered before they were read to their end.
  Counter& refusals(Refusal why) noexcept {
    return counters_[refusals_at + static_cast<std::size_t>(why)];
  }
  /// Bytes of bodies given to be sent.
  Counter& body_bytes() noexcept { return counters_[body_bytes_at]; }
  /// Answers whose connection was lost before their last byte.
  Counter& answers_cut() noexcept { return counters_[cut_at]; }
  /// Answers ended by a reset, for the streamed file is not what it was.
  Counter& files_changed() noexcept { return counters_[changed_at]; }
  /// Sites read anew that the worker could not take: it serves the old one.
  Counter& parcels_refused() noexcept { return counters_[parcels_at]; }
  /// Where among infos() lost lines are counted.
  static constexpr std::size_t place_of(LineLoss why) noexcept {
    return lines_lost_at + static_cast<std::size_t>(why);
  }
  /// Of the access log, by LineLoss.
  std::span<Counter, line_losses> lines_lost() noexcept {
    return counters_.template subspan<lines_lost_at, line_losses>();
  }
  /// How long answers took.
  DurationCounters& answer_times() noexcept { return times_; }

 private:
  static constexpr std::size_t status_first = 100;
  static constexpr auto places = [] {
    std::array<std::uint8_t, detail::status_end - status_first> all{};
    for (std::size_t index = 0; index < statuses.size(); ++index) {
      all[static_cast<std::size_t>(statuses[index]) - status_first] =
          static_cast<std::uint8_t>(index);
    }
    return all;
  }();

  std::span<Counter, size> counters_;
  DurationCounters times_;
};

/// For --stats-json, /metrics and the summary.
constexpr std::array<CounterInfo, HttpCounters::size> HttpCounters::infos() noexcept {
  std::array<CounterInfo, size> all{};
  for (std::size_t index = 0; index < statuses.size(); ++index) {
    all[index] = {"http_answers", "Answers, by status", "status",
                  status_text(statuses[index]).substr(0, 3)};
  }
  constexpr std::array<std::string_view, static_cast<std::size_t>(Refusal::count)> refusals{
      "malformed", "too_large", "slow", "crowded", "unsupported"};
  for (std::size_t index = 0; index < refusals.size(); ++index) {
    all[refusals_at + index] = {"http_refusals",
                                "Requests that were answered before they were read to their end",
                                "why", refusals[index]};
  }
  all[body_bytes_at] = {"http_body_bytes", "Bytes of bodies given to be sent"};
  all[cut_at] = {"http_answers_cut", "Answers whose connection was lost before their last byte"};
  all[changed_at] = {"http_files_changed",
                     "Answers ended by a reset, for the streamed file is not what it was"};
  all[parcels_at] = {"http_sites_refused",
                     "Sites read anew that the worker could not take: it serves the old one"};
  constexpr std::array<std::string_view, line_losses> losses{"slow", "full", "failed"};
  for (std::size_t index = 0; index < losses.size(); ++index) {
    all[lines_lost_at + index] = {"http_log_lines_lost", "Lines that the access log lacks", "why",
                                  losses[index]};
  }
  std::ranges::copy(DurationCounters::infos(
                        "http_answer_seconds",
                        "From a whole request to the last byte of its answer given to be sent"),
                    all.begin() + times_at);
  return all;
}

}  // namespace lab
