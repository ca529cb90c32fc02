// What clients may do, and which ones: the limits of a worker. Without any of them nobody asks a
// client for its address.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "06-server/lib/limits/address_rules.hpp"
#include "06-server/lib/limits/siphash.hpp"

namespace lab {

/// Who is let in, and how often. Each but the key is an option of the command line.
struct LimitOptions {
  /// Requests a second, of each client in the long run; 0: any. A connection counts as one, and its
  /// first request is that one.
  std::uint32_t rate = 0;
  std::uint32_t burst = 100;          ///< of a client that was quiet, at once
  std::uint32_t rate_total = 0;       ///< the same of all clients of the worker; 0: any
  std::uint32_t connections_max = 0;  ///< of each client at a time; 0: any
  /// Above it a worker lets nobody in, milliseconds; 0: it never asks. See delay_limit.hpp.
  std::uint32_t delay_max_ms = 0;
  /// IPv6 addresses that have so many first bits in common are one client: whoever has a network
  /// has 2^64 addresses of it.
  unsigned prefix_bits = 64;
  std::uint32_t entries = 65'536;      ///< clients that are remembered; 16 bytes each
  std::vector<NetworkPrefix> allowed;  ///< --allow; empty: everybody who is not denied
  std::vector<NetworkPrefix> denied;   ///< --deny
  /// Of the hash; drawn by each worker where there is none. For tests.
  std::optional<SipKey> key;

  /// True when anything is limited; otherwise it costs nothing.
  bool any() const noexcept {
    return rate != 0 || rate_total != 0 || connections_max != 0 || delay_max_ms != 0 ||
           !allowed.empty() || !denied.empty();
  }
};

}  // namespace lab
