// What one worker's TLS counts: the names, what they mean, and where each is.
//
// Lifetime: the counters themselves are in memory that others may read, see worker_stats.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// Why a client got no further than its handshake.
enum class TlsFailure : std::uint8_t {
  plain_text,   ///< it does not speak TLS
  version,      ///< it speaks none that is spoken here
  cipher,       ///< no cipher, group or signature in common
  protocol,     ///< ALPN: it speaks something else inside
  name,         ///< --tls-strict-sni: no certificate has the name
  certificate,  ///< --tls-client-ca: it showed none that counts
  refused,      ///< it sent an alert: our certificate is not to its liking, as a rule
  late,         ///< its time was over
  cut,          ///< it went away in the middle
  other,        ///< garbage
  count         ///< how many reasons; none itself
};

/// The counters by name. One writer: the worker's thread.
class TlsCounters {
  static constexpr std::size_t failures = static_cast<std::size_t>(TlsFailure::count);
  enum Plain : std::size_t {
    handshakes_at = failures,
    resumed_at,
    waited_at,
    broken_at,
    truncated_at,
    parcels_at,
    end
  };

 public:
  static constexpr std::size_t size = end;  ///< how many there are
  static constexpr std::array<CounterInfo, size> infos() noexcept;

  /// @param counters as infos() names them
  explicit TlsCounters(std::span<Counter> counters) noexcept : counters_(counters.first<size>()) {}

  /// Handshakes that failed, by the reason.
  Counter& failed(TlsFailure why) noexcept { return counters_[static_cast<std::size_t>(why)]; }
  /// Handshakes done, resumed ones too.
  Counter& handshakes() noexcept { return counters_[handshakes_at]; }
  /// Handshakes that a valid ticket shortened.
  Counter& resumed() noexcept { return counters_[resumed_at]; }
  /// Handshakes that waited, for too many others were going on.
  Counter& waited() noexcept { return counters_[waited_at]; }
  /// Connections ended by a broken record after the handshake.
  Counter& broken() noexcept { return counters_[broken_at]; }
  /// Connections that ended without the peer's close_notify.
  Counter& truncated() noexcept { return counters_[truncated_at]; }
  /// Certificates read anew that the worker could not take: it has the old ones.
  Counter& parcels_refused() noexcept { return counters_[parcels_at]; }

 private:
  std::span<Counter, size> counters_;
};

/// For --stats-json, /metrics and the summary.
constexpr std::array<CounterInfo, TlsCounters::size> TlsCounters::infos() noexcept {
  std::array<CounterInfo, size> all{};
  constexpr std::array<std::string_view, failures> whys{
      "plain_text",  "version", "cipher", "protocol", "name",
      "certificate", "refused", "late",   "cut",      "other"};
  for (std::size_t index = 0; index < whys.size(); ++index) {
    all[index] = {"tls_failed", "Clients that got no further than their handshake", "why",
                  whys[index]};
  }
  all[handshakes_at] = {"tls_handshakes", "Handshakes done, resumed ones too"};
  all[resumed_at] = {"tls_resumed", "Handshakes that a valid ticket shortened"};
  all[waited_at] = {"tls_waited", "Handshakes that waited, for too many others were going on"};
  all[broken_at] = {"tls_broken", "Connections ended by a broken record after the handshake"};
  all[truncated_at] = {"tls_truncated", "Connections that ended without the peer's close_notify"};
  all[parcels_at] = {"tls_certificates_refused",
                     "Certificates read anew that the worker could not take: it has the old ones"};
  return all;
}

}  // namespace lab
