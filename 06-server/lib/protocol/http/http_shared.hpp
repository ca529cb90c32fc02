// What all HTTP connections of a worker have in common.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <vector>

#include "06-server/lib/protocol/http/access_log.hpp"
#include "06-server/lib/protocol/http/answer_head.hpp"
#include "06-server/lib/protocol/http/head_stores.hpp"
#include "06-server/lib/protocol/http/http_counters.hpp"
#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/request_head.hpp"

namespace lab {

/// Seconds since 1970. A system call is none: the C library reads it from memory.
inline std::int64_t wall_clock_s() noexcept { return std::time(nullptr); }
/// Nanoseconds since some moment. No system call either.
inline std::uint64_t steady_clock_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// The limits of a request and of a connection. Each is an option of the command line, but for the
/// clocks.
struct HttpOptions {
  HeadLimits limits;                  ///< of a head, in bytes and in fields
  std::uint32_t request_ms = 20'000;  ///< from a request's first byte to its last; then 408
  std::uint32_t requests_max = 0;     ///< of a connection; 0: no limit
  /// From a connection's start. After it, the answer under way is the last; 0: no limit.
  std::uint32_t age_ms = 0;
  /// Bodies up to this are copied behind their head; larger ones are sent from where they are.
  std::uint32_t copy_bytes_max = 4096;
  std::uint32_t head_stores = 256;  ///< heads that come in pieces, at once: 16 KiB each
  std::int64_t (*now_s)() noexcept =
      wall_clock_s;  ///< for Date and for ages; tests put another clock here
  std::uint64_t (*now_ns)() noexcept = steady_clock_ns;  ///< for how long an answer takes
};

/// Made before the loop; outlives the connections.
/// @tparam Source the site: see http_static.hpp
template <class Source>
class HttpShared {
 public:
  /// @param site outlives it
  HttpShared(const HttpOptions& options, Source& site, HttpCounters counters)
      : options_(options),
        site_(site),
        counters_(counters),
        stores_(options.head_stores, options.limits.bytes),
        path_(options.limits.target_bytes) {}
  HttpShared(const HttpShared&) = delete;
  HttpShared& operator=(const HttpShared&) = delete;

  /// As the constructor was told.
  const HttpOptions& options() const noexcept { return options_; }
  /// What paths are looked up in.
  Source& site() noexcept { return site_; }
  /// The worker's.
  HttpCounters& counters() noexcept { return counters_; }
  /// For heads that come in pieces.
  HeadStores& stores() noexcept { return stores_; }
  /// For the Date of each answer.
  DateCache& date() noexcept { return date_; }
  /// From now on each answer gets a line. Before the loop; it outlives this.
  void log_to(AccessLog& log) noexcept { log_ = &log; }
  /// Null: there is none.
  AccessLog* log() noexcept { return log_; }
  /// Once a tick: lines are written, what nobody reads any more is given back.
  void on_tick(std::uint32_t) noexcept {
    if (log_ != nullptr) log_->lines().tick();
    if constexpr (requires { site_.collect(); }) site_.collect();
  }
  /// The connections are gone, or it is late. @return whether the worker may end
  bool settle(bool late) noexcept { return log_ == nullptr || log_->lines().settle(late); }
  /// For one decoded path, within one hook.
  std::span<char> path_space() noexcept { return path_; }

 private:
  HttpOptions options_;
  Source& site_;
  HttpCounters counters_;
  HeadStores stores_;
  DateCache date_;
  std::vector<char> path_;
  AccessLog* log_ = nullptr;
};

}  // namespace lab
