// What a worker looks after each tick: who is idle, who stands still while others wait, whose time
// is over.
//
// Lifetime: its worker's. Each look is one pass over a list at the most.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/buffer_line.hpp"
#include "06-server/lib/engine/connections.hpp"

namespace lab {

/// Times are ticks.
template <class Client>
class Upkeep {
 public:
  /// @param idle_ticks 0: nobody is idle
  Upkeep(Connections<Client>& connections, WorkerStats& stats, std::uint32_t idle_ticks,
         std::uint32_t stuck_ticks) noexcept
      : connections_(connections),
        stats_(stats),
        idle_ticks_(idle_ticks),
        stuck_ticks_(stuck_ticks) {}

  // The list is ordered by last activity, so the look ends at the first that is young enough. Those
  // that are closing already stand among them and are passed over.
  void close_idle(std::uint32_t now) noexcept {
    if (idle_ticks_ == 0) return;
    for (Client* client = connections_.oldest(); client != nullptr;
         client = connections_.next(*client)) {
      if (now - client->last_activity() < idle_ticks_) return;
      if (client->aborting() || (client->all_sent() && !client->open())) continue;
      stats_[Stat::idle_closed].add(1);
      if (client->all_sent()) {
        client->wind_up();
      } else {
        client->reset();
      }
    }
  }

  // The guarantee: whoever waits for a buffer does not wait longer because others do not read. The
  // reserve keeps it in most cases; but idle connections have multishot receives in flight, and
  // when their data comes at once, nothing is left. While buffers are enough, nobody is reset.
  /// @param since the tick at which the first began to wait
  /// @param wanted buffers that would be enough
  void shed_stuck(std::uint32_t now, std::uint32_t since, std::uint32_t wanted) noexcept {
    if (now - since < stuck_ticks_) return;
    std::array<Client*, shed_per_tick_max> found;
    for (Client* client : connections_.longest_stuck(now, stuck_ticks_, found)) {
      if (wanted == 0) return;
      wanted -= std::min(wanted, std::max(client->held(), 1U));
      client->reset();
      stats_[Stat::shed].add(1);
    }
  }

  // The same where protocols write answers of their own, which may be larger than any socket's
  // room. What was granted is sent in the same turn, and a socket with room takes it at once:
  // whoever still holds a buffer two ticks later is in the way, even if its peer takes a byte now
  // and then. Each round frees all that are held so: a wait ends 250 ms after it began, and 50 ms
  // later for each poolful of such peers.
  void shed_holders(std::uint32_t now, std::uint32_t since, std::uint32_t wanted) noexcept {
    if (now - since < stuck_ticks_) return;
    for (Client* client = connections_.oldest(); client != nullptr && wanted > 0;
         client = connections_.next(*client)) {
      const std::optional<std::uint32_t> held_since = client->holds_since();
      if (!held_since || now - *held_since < held_ticks_max) continue;
      --wanted;
      client->reset();
      stats_[Stat::shed].add(1);
    }
  }

  /// One pass over all, so once a second is enough.
  void check_deadlines() noexcept {
    for (Client* client = connections_.oldest(); client != nullptr;
         client = connections_.next(*client)) {
      client->check_deadline();
    }
  }

 private:
  static constexpr unsigned shed_per_tick_max = 64;
  static constexpr std::uint32_t held_ticks_max = 2;

  Connections<Client>& connections_;
  WorkerStats& stats_;
  std::uint32_t idle_ticks_;
  std::uint32_t stuck_ticks_;
};

}  // namespace lab
