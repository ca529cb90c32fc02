// A worker's limits: who is let in, and how often each client may ask. It knows addresses and
// times, and does nothing to a connection but wake it.
//
// Lifetime: its worker's; all memory is taken by the constructor. Rule: who is refused for itself
// takes nothing from what all clients share.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "02-files/lib/file_table.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/limits/address_rules.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/limits/connection_counts.hpp"
#include "06-server/lib/limits/delay_limit.hpp"
#include "06-server/lib/limits/limit_counters.hpp"
#include "06-server/lib/limits/limit_options.hpp"
#include "06-server/lib/limits/rate_limit.hpp"
#include "06-server/lib/limits/rate_table.hpp"
#include "06-server/lib/limits/sip_key.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Times are nanoseconds of one clock that does not go back.
class ClientLimits {
 public:
  /// @param slots of the worker's file table
  /// @param counters LimitCounters::infos() names them; none: it has its own
  /// @throws std::system_error, std::bad_alloc
  ClientLimits(const LimitOptions& options, unsigned slots, std::uint64_t now_ns,
               std::span<Counter> counters)
      : options_(options),
        rules_(options.allowed, options.denied),
        key_(options.key ? *options.key : random_sip_key()),
        guests_(slots),
        counts_(slots + 1),
        counters_(counters.empty() ? std::span<Counter>(own_counters_) : counters),
        forgotten_before_(counters_.forgotten().get()),
        total_due_ns_(now_ns) {
    if (options.rate != 0) {
      table_.emplace(options.entries, RateLimit(options.rate, options.burst), now_ns);
    }
    // A tenth of a second's worth: as many as come together by chance.
    if (options.rate_total != 0) {
      total_.emplace(options.rate_total, std::max(options.rate_total / 10, 1U));
    }
    if (options.delay_max_ms != 0) {
      delay_.emplace(options.delay_max_ms * ms_ns, protocol_tick_ms * ms_ns);
      delay_->start(now_ns);
    }
  }
  ClientLimits(const ClientLimits&) = delete;
  ClientLimits& operator=(const ClientLimits&) = delete;

  /// Begins anew, if need be on another clock.
  void start_clock(std::uint64_t now_ns) noexcept {
    if (table_) table_->clear(now_ns);
    total_due_ns_ = now_ns;
    if (delay_) delay_->start(now_ns);
  }

  /// A client is at this slot: counts it if it is let in. leave() follows when its slot closes.
  /// @return why it is not let in; nothing: it is
  std::optional<Refused> judge(FileSlot slot, const ClientAddress& address,
                               std::uint64_t now_ns) noexcept {
    const ClientId client = id_of(address);
    const std::optional<Refused> why = reason(client, address, now_ns);
    if (why) {
      counters_.refused(*why).add(1);
      return why;
    }
    Guest& enters = guest(slot);
    enters.client = client;
    enters.inside = enters.fresh = true;
    counts_.enter(client);
    counters_.connections().add(1);
    return {};
  }

  /// Nobody is at this slot any more, or somebody who was not let in.
  void leave(FileSlot slot) noexcept {
    Guest& left = guest(slot);
    if (!left.inside) return;
    left.inside = false;
    if (paced_.contains(left)) paced_.remove(left);
    counts_.leave(left.client);
  }

  /// Counts a request of who is at this slot, unless it is the one that its connection stands for.
  /// @return false: it is one too many, and does not count
  bool admit_request(FileSlot slot, std::uint64_t now_ns) noexcept {
    Guest& asks = guest(slot);
    if (std::exchange(asks.fresh, false)) return true;
    const bool admitted = !count_one(asks.client, now_ns);
    (admitted ? counters_.requests() : counters_.requests_refused()).add(1);
    return admitted;
  }

  /// Counts a request all the same; when it is one too many, who is at this slot is paced until
  /// another one conforms.
  /// @param waker is called then
  void pace(FileSlot slot, std::uint64_t now_ns, const Waker& waker) noexcept {
    Guest& asks = guest(slot);
    if (std::exchange(asks.fresh, false)) return;
    counters_.requests().add(1);
    const std::uint64_t wait_ns = charge(asks.client, now_ns);
    if (wait_ns == 0) return;
    asks.until_ns = now_ns + wait_ns;
    if (paced_.contains(asks)) return;
    asks.waker = waker;
    paced_.push_back(asks);
    counters_.paused().add(1);
  }
  /// Who is at this slot waits until the rate allows the next request.
  bool paced(FileSlot slot) const noexcept { return paced_.contains(guest(slot)); }

  /// Once a tick, when the worker takes it. Looks at all that are paced.
  void tick(std::uint64_t now_ns) noexcept {
    if (delay_) delay_->tick(now_ns);
    if (table_) counters_.forgotten().set(forgotten_before_ + table_->forgotten());
    for (Guest* one = paced_.front(); one != nullptr;) {
      Guest& waits = *std::exchange(one, paced_.next(*one));
      if (RateLimit::early_ns(waits.until_ns, now_ns) > 0) continue;
      paced_.remove(waits);
      waits.waker->wake();
    }
  }

  /// What it counts in.
  LimitCounters& counters() noexcept { return counters_; }

 private:
  struct Guest {
    ClientId client{};
    bool inside = false;         ///< it was let in, and its slot is not closed
    bool fresh = false;          ///< its next request was counted with its connection
    std::uint64_t until_ns = 0;  ///< of a pause
    std::optional<Waker> waker;  ///< of its connection, during a pause
    ListLink<Guest> link;        ///< in the list of those that are paced
  };

  static constexpr std::uint64_t ms_ns = 1'000'000;

  Guest& guest(FileSlot slot) noexcept { return guests_[static_cast<std::size_t>(index(slot))]; }
  const Guest& guest(FileSlot slot) const noexcept {
    return guests_[static_cast<std::size_t>(index(slot))];
  }

  ClientId id_of(const ClientAddress& address) const noexcept {
    const ClientAddress client = address.is_ipv4() ? address : address.prefix(options_.prefix_bits);
    return ClientId{sip_hash(key_, client.bytes())};
  }

  std::optional<Refused> reason(ClientId client, const ClientAddress& address,
                                std::uint64_t now_ns) noexcept {
    if (!rules_.lets_in(address)) return Refused::denied;
    const std::uint32_t connections_max = options_.connections_max;
    if (connections_max != 0 && counts_.of(client) >= connections_max) return Refused::connections;
    if (delay_ && delay_->refuses()) return Refused::delay;
    return count_one(client, now_ns);
  }

  std::optional<Refused> count_one(ClientId client, std::uint64_t now_ns) noexcept {
    if (total_ && !total_->conforms(total_due_ns_, now_ns)) return Refused::total;
    if (table_ && !table_->admit(client, now_ns)) return Refused::rate;
    if (total_) total_due_ns_ = total_->count(total_due_ns_, now_ns);
    return {};
  }

  // What has happened counts, and may be more than conforms. @return until the next one does
  std::uint64_t charge(ClientId client, std::uint64_t now_ns) noexcept {
    std::uint64_t wait_ns = table_ ? table_->charge(client, now_ns) : 0;
    if (total_) {
      total_due_ns_ = total_->count(total_due_ns_, now_ns);
      wait_ns = std::max(wait_ns, total_->wait_ns(total_due_ns_, now_ns));
    }
    return wait_ns;
  }

  const LimitOptions options_;
  const AddressRules rules_;
  const SipKey key_;
  std::vector<Guest> guests_;  ///< by slot
  IntrusiveList<Guest, &Guest::link> paced_;
  ConnectionCounts counts_;
  std::array<Counter, LimitCounters::size> own_counters_;
  LimitCounters counters_;
  const std::uint64_t forgotten_before_;  ///< by the processes before this one
  std::optional<RateTable> table_;        ///< of each client
  std::optional<RateLimit> total_;        ///< of all together
  std::optional<DelayLimit> delay_;       ///< of the worker's own clock
  std::uint64_t total_due_ns_;
};

}  // namespace lab
