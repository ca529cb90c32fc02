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
#include "06-server/lib/engine/connections.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Times are ticks. Commons: what the connections of an engine have in common; it has
/// renew_receives(now) where its kernel needs that.
template <class Commons>
class Upkeep {
 public:
  using Client = typename Commons::Client;  ///< a connection of that engine

  explicit Upkeep(Commons& commons) noexcept
      : commons_(commons), idle_ticks_(in_ticks(commons.options().idle_timeout_ms)) {}

  /// Once a tick, by the worker. @param now there may be ticks that nobody saw
  void tick(std::uint32_t now) noexcept {
    commons_.budget().note_free(commons_.buffers().free(), now);
    close_idle(now);
    shed(now);
    if (auto* limits = commons_.limits()) limits->tick(commons_.now_ns());
    if constexpr (requires { commons_.renew_receives(now); }) commons_.renew_receives(now);
    if constexpr (Commons::uses_buffers) check_deadlines(now);
    if constexpr (requires { commons_.shared().on_tick(now); }) commons_.shared().on_tick(now);
  }

 private:
  static constexpr unsigned tick_ms = protocol_tick_ms;
  static constexpr unsigned shed_per_tick_max = 64;
  static constexpr std::uint32_t stuck_ticks = 250 / tick_ms;
  static constexpr std::uint32_t held_ticks_max = 2;
  static constexpr std::uint32_t ticks_per_second = 1000 / tick_ms;

  // 0: never.
  static std::uint32_t in_ticks(unsigned timeout_ms) noexcept {
    return timeout_ms == 0 ? 0 : std::max(timeout_ms / tick_ms, 1U);
  }

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

  // The guarantee: whoever waits for a buffer does not wait longer because others do not read.
  // While buffers are enough, nobody is reset.
  void shed(std::uint32_t now) noexcept {
    if (connections_.anybody_waits() && commons_.buffers().free() == 0) {
      const std::uint32_t since = connections_.first_waiting()->receiving_since();
      const std::uint32_t wanted = std::min(connections_.waiting(), commons_.budget().reserve());
      shed_stuck(now, since, wanted);
      if constexpr (Commons::uses_buffers) shed_holders(now, since, wanted);
    }
    if constexpr (Commons::uses_buffers) {
      const auto& line = commons_.buffer_line();
      if (!line.empty()) shed_holders(now, line.first_since(), line.size());
    }
  }

  // The reserve keeps the guarantee in most cases; but idle connections have multishot receives in
  // flight, and when their data comes at once, nothing is left.
  void shed_stuck(std::uint32_t now, std::uint32_t since, std::uint32_t wanted) noexcept {
    if (now - since < stuck_ticks) return;
    std::array<Client*, shed_per_tick_max> found;
    for (Client* client : connections_.longest_stuck(now, stuck_ticks, found)) {
      if (wanted == 0) return;
      const typename Client::Sending& unsent = *client;
      wanted -= std::min(wanted, std::max(unsent.held(), 1U));
      reset(*client);
    }
  }

  // Protocols write answers of their own, which may be larger than any socket's room. What was
  // granted is sent in the same turn, and a socket with room takes it at once: whoever still holds
  // a buffer two ticks later is in the way, even if its peer takes a byte now and then. Each round
  // frees all that are held so: a wait ends 250 ms after it began, and 50 ms later for each poolful
  // of such peers.
  void shed_holders(std::uint32_t now, std::uint32_t since, std::uint32_t wanted) noexcept {
    if (now - since < stuck_ticks) return;
    for (Client* client = connections_.oldest(); client != nullptr && wanted > 0;
         client = connections_.next(*client)) {
      const std::optional<std::uint32_t> held_since = client->holds_since();
      if (!held_since || now - *held_since < held_ticks_max) continue;
      --wanted;
      reset(*client);
    }
  }

  void reset(Client& client) noexcept {
    client.reset();
    stats_[Stat::shed].add(1);
  }

  // One pass over all, so once a second is enough.
  void check_deadlines(std::uint32_t now) noexcept {
    if (now - deadlines_tick_ < ticks_per_second) return;
    deadlines_tick_ = now;
    for (Client* client = connections_.oldest(); client != nullptr;
         client = connections_.next(*client)) {
      client->check_deadline();
    }
  }

  Commons& commons_;
  Connections<Client>& connections_ = commons_.connections();
  WorkerStats& stats_ = commons_.stats();
  std::uint32_t idle_ticks_;
  std::uint32_t deadlines_tick_ = 0;  ///< of the latest look at them
};

}  // namespace lab
