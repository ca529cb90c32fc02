// The end of a connection whose peer may still be sending: FIN first, then what comes is thrown
// away for a while. Closing at once would send a reset, which overtakes the last answer (RFC 9112,
// 9.6).
//
// Lifetime: a base of its connection, which is not closed while fin_ is armed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "02-files/lib/file_table.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Connection derives from it and has: commons(), slot().
/// @tparam On false: the protocol never lingers, and it costs nothing
template <class Connection, bool On>
class Lingering {
 public:
  /// True from the FIN until nothing of it is in flight.
  bool fin_in_flight() const noexcept { return fin_.armed(); }
  /// True once it shall end so.
  bool lingers() const noexcept { return wanted_; }
  /// So many were thrown away.
  void count_discarded(std::uint32_t bytes) noexcept {
    bytes_left_ -= std::min(bytes_left_, bytes);
  }

 protected:
  /// The end, when it comes, begins with a FIN.
  void want_to_linger() noexcept { wanted_ = true; }

  /// Sends the FIN. REQUIRES: what was to be sent has been sent.
  void begin_to_linger() noexcept {
    until_tick_ = self().commons().tick() + ticks_max;
    fin_.start(self().commons().ring(), self().slot());
  }
  /// Bytes that may still be thrown away; 0: it has lingered enough.
  std::uint32_t linger_bytes_left() const noexcept {
    const auto left = static_cast<std::int32_t>(until_tick_ - self().commons().tick());
    return left > 0 ? bytes_left_ : 0;
  }

 private:
  // What a client sends before it looks for an answer, several times over; more is an attack. Two
  // seconds are many round trips.
  static constexpr std::uint32_t bytes_max = 8U << 20;
  static constexpr std::uint32_t ticks_max = 2000 / protocol_tick_ms;

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }

  void on_fin(Cqe) noexcept { self().commons().mark_ready(self()); }

  Bind<SendFin, &Lingering::on_fin> fin_{*this};
  std::uint32_t bytes_left_ = bytes_max;
  std::uint32_t until_tick_ = 0;
  bool wanted_ = false;
};

template <class Connection>
class Lingering<Connection, false> {
 public:
  bool fin_in_flight() const noexcept { return false; }
  bool lingers() const noexcept { return false; }
  void count_discarded(std::uint32_t) noexcept {}

 protected:
  void want_to_linger() noexcept {}
  void begin_to_linger() noexcept {}
  std::uint32_t linger_bytes_left() const noexcept { return 0; }
};

}  // namespace lab
