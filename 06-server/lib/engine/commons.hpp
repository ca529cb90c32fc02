// What a worker's connections have in common: its ring, its memory, its lists, and who may have how
// much of them.
//
// Lifetime: its worker's. Rule: connections know this, and nothing of the worker.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <vector>

#include "01-core/lib/features.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/buffer_budget.hpp"
#include "06-server/lib/engine/buffer_line.hpp"
#include "06-server/lib/engine/client_limits.hpp"
#include "06-server/lib/engine/connection.hpp"
#include "06-server/lib/engine/connections.hpp"
#include "06-server/lib/engine/receive_renewal.hpp"
#include "06-server/lib/engine/slot_counts.hpp"
#include "06-server/lib/engine/worker_memory.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/engine/zero_copy_policy.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// P: a Protocol.
template <class P>
class Commons {
 public:
  using Client = Connection<P>;                          ///< what is listed here
  static constexpr bool uses_buffers = P::uses_buffers;  ///< there are pooled buffers

  /// @param limit_counters see ClientLimits @throws std::system_error, std::bad_alloc
  Commons(const WorkerOptions& options, const Features& features, WorkerStats& stats,
          typename P::Shared& shared, std::span<Counter> limit_counters)
      : options_(options),
        features_(features),
        stats_(stats),
        shared_(shared),
        ring_(ring_options(options)),
        table_(ring_, options.connections_max),
        memory_(ring_, options),
        budget_(options.buffer_count, options.buffer_size, dials_out<P> ? 2 : 1),
        connections_(options.connections_max + spare_connections),
        zero_copy_(zero_copy_mode(), options.zero_copy_threshold),
        peers_(options.peer_addresses ? table_.size() : 0) {
    if (zero_copy_mode() != ZeroCopyMode::never) memory_.register_arena();
    if (options.limits.any()) {
      limits_.emplace(options.limits, table_.size(), ring_.now_ns(), limit_counters);
    }
  }
  Commons(const Commons&) = delete;
  Commons& operator=(const Commons&) = delete;

  Ring& ring() noexcept { return ring_; }  ///< of the worker's thread alone
  const Ring& ring() const noexcept { return ring_; }
  const WorkerOptions& options() const noexcept { return options_; }  ///< as they were given
  const Features& features() const noexcept { return features_; }     ///< less those of --without
  typename P::Shared& shared() noexcept { return shared_; }           ///< of its protocol
  WorkerMemory<Client, P::uses_buffers>& memory() noexcept { return memory_; }  ///< arena and pools
  const WorkerMemory<Client, P::uses_buffers>& memory() const noexcept { return memory_; }
  BufferBudget& budget() noexcept { return budget_; }  ///< who may have how many receive buffers
  Connections<Client>& connections() noexcept { return connections_; }  ///< all, until release()
  const Connections<Client>& connections() const noexcept { return connections_; }
  /// Who waits for a pooled buffer.
  BufferLine<Client, P::uses_buffers>& buffer_line() noexcept { return buffer_line_; }
  BufferRing& buffers() noexcept { return memory_.buffers; }         ///< what receives take from
  ReceivedBuffers& received() noexcept { return memory_.received; }  ///< owns what came
  PooledBuffers& pooled() noexcept { return memory_.pooled; }        ///< what protocols fill
  SegmentNodes& segment_nodes() noexcept { return memory_.segment_nodes; }  ///< places in queues
  SlabPool<GatherList>& gather_lists() noexcept { return memory_.gather_lists; }  ///< for sendmsg
  ZeroCopyPolicy& zero_copy() noexcept { return zero_copy_; }  ///< the verdict about its peers
  WorkerStats& stats() noexcept { return stats_; }             ///< in shared memory
  ClientLimits* limits() noexcept { return limits_ ? &*limits_ : nullptr; }  ///< null: no limits
  std::uint64_t now_ns() const noexcept { return ring_.now_ns(); }  ///< what the limits go by
  /// Counts time in steps of tick_ms, from start_clock() on.
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>((ring_.now_ns() - start_ns_) / tick_ns);
  }
  /// Tick 0 is now.
  void start_clock() noexcept {
    start_ns_ = ring_.now_ns();
    if (limits_) limits_->start_clock(start_ns_);
  }
  static constexpr unsigned tick_ms = protocol_tick_ms;  ///< milliseconds of a tick
  static constexpr std::uint64_t tick_ns = std::uint64_t{tick_ms} * 1'000'000U;  ///< in nanoseconds

  // --- buffers ---

  /// See BufferBudget, as the next two.
  bool scarce() const noexcept { return budget_.scarce(memory_.buffers.free()); }
  /// A connection that holds so many has to pause.
  bool over_high_water(std::uint32_t held) const noexcept {
    return BufferBudget::over_high_water(held, memory_.buffers.free());
  }
  /// One that has paused for that may go on.
  bool below_low_water(std::uint32_t held) const noexcept {
    return BufferBudget::below_low_water(held, memory_.buffers.free());
  }
  /// Pooled buffers that one connection may have waiting.
  std::uint32_t pooled_cap() const noexcept {
    return BufferBudget::pooled_cap(memory_.pooled.free());
  }
  /// A multishot receive begins. @return bytes after which it ends; 0: none (before Linux 6.17)
  std::uint32_t grant_multishot() noexcept {
    const std::uint32_t share = budget_.grant_multishot();
    return features_.has(Feature::recv_total) ? share * memory_.buffers.size() : 0;
  }
  /// A multishot receive leaves room for others after 32 buffers (Linux 6.12).
  bool multishot_is_fair() const noexcept { return features_.has(Feature::recv_retry_limit); }

  // --- closing ---

  /// An option of a slot makes its close a reset (Linux 6.7).
  bool can_reset() const noexcept { return features_.has(Feature::slot_options); }
  /// A closed slot lets its file go at once, whatever else is in flight (Linux 6.13).
  bool slot_releases() const noexcept { return features_.has(Feature::slot_release); }
  /// Right before the SQE that closes it: its peer hears of it now, not when the file is let go.
  void prepare_close(FileSlot slot) noexcept {
    if (slot_releases()) return;
    ring_.reserve(2);
    shutdown_.link_before_close(ring_, slot);
  }
  /// The close of this slot is about to begin: from then on it may be somebody else's.
  void leaves(FileSlot slot) noexcept {
    if (limits_) limits_->leave(slot);
  }

  /// So many of those that are turned away are listened to until they have heard it. Who comes in
  /// a flood is closed at once: it shall not take the slots of those that are let in.
  bool may_linger_turned_away() const noexcept {
    return turned_away_ < options_.connections_max / 8;
  }
  void turns_away() noexcept { ++turned_away_; }  ///< one more, until its release()

  // --- zero-copy sends ---

  /// What is in the arena is sent as a registered buffer, where that could be registered.
  SendZeroCopy::Options zero_copy_options(SegmentKind kind) const noexcept {
    return {.report_usage = features_.has(Feature::zero_copy_report),
            .what_fits = true,
            .fixed = memory_.registered() && kind != SegmentKind::stable,
            .buffer_index = 0};
  }
  /// @param due notifications of this kind that the connection awaits already
  bool may_send_zero_copy(SegmentKind kind, std::uint32_t due) const noexcept {
    if (kind == SegmentKind::stable) return true;
    if (kind == SegmentKind::pooled) return memory_.pooled.free() >= memory_.pooled.count() / 2;
    return budget_.may_send_zero_copy(due, memory_.buffers.free());
  }
  /// Until destroy_zero_copy_send(); null when all are in use: the send is a plain one then.
  ZeroCopySend<Client>* create_zero_copy_send(Sender<Client>& owner) noexcept {
    return memory_.zero_copy_sends.create(owner, Segment{});
  }
  /// REQUIRES: its last CQE has come.
  void destroy_zero_copy_send(ZeroCopySend<Client>& send) noexcept {
    memory_.zero_copy_sends.destroy(&send);
  }
  void on_zero_copy_done(const Cqe& notification) noexcept {
    const bool copied = SendZeroCopy::copied(notification);
    zero_copy_.report(copied);
    stats_[copied ? Stat::zero_copy_copied : Stat::zero_copy_sent].add(1);
  }

  // --- lists ---

  /// It advances before this turn ends.
  void mark_ready(Client& client) noexcept { connections_.mark_ready(client); }
  /// Something moved on it.
  void move_to_youngest(Client& client) noexcept { connections_.move_to_youngest(client); }
  /// For a receive buffer.
  bool is_waiting(const Client& client) const noexcept { return connections_.is_waiting(client); }
  void wait_for_buffer(Client& client) noexcept { connections_.wait(client); }  ///< behind others
  /// REQUIRES: is_waiting().
  void leave_waiting(Client& client) noexcept { connections_.leave_waiting(client); }
  /// @return none: the client waits in line
  PooledBuffer take_pooled(Client& client) noexcept {
    PooledBuffer buffer = buffer_line_.may_take(client) ? memory_.pooled.take() : PooledBuffer{};
    if (!buffer) buffer_line_.join(client, tick());
    return buffer;
  }
  /// It stands in line.
  bool waits_for_pooled(const Client& client) const noexcept {
    return buffer_line_.contains(client);
  }
  void leave_pooled(Client& client) noexcept { buffer_line_.leave(client); }  ///< if it waits
  /// Once a tick: what a kernel before 6.13 needs.
  void renew_receives(std::uint32_t now) noexcept {
    if (!slot_releases()) renewal_.renew(now);
  }
  void receive_begins(Client& client) noexcept { renewal_.begins(client); }  ///< before Linux 6.13
  void receive_ended(Client& client) noexcept { renewal_.ended(client); }    ///< the same
  /// At the end. @return whether what its protocol writes beside connections is out, or given up
  bool settle(bool late) noexcept {
    if constexpr (requires { shared_.settle(late); }) return shared_.settle(late);
    return true;
  }

  // --- slots ---

  /// Connections that may still be taken: slots, and objects for them.
  unsigned room() const noexcept { return std::min(slots_.clients_left(), connections_.free()); }
  /// @return a connection on this slot; null when there is no object for it
  Client* create(FileSlot slot) noexcept {
    Client* client = connections_.create(*this, slot);
    if (client != nullptr) slots_.take_for_client();
    return client;
  }
  /// Of each client, at its accept.
  bool asks_for_addresses() const noexcept { return limits_ || options_.peer_addresses; }
  /// Where the client on a slot comes from; :: where nobody asked (WorkerOptions::peer_addresses).
  ClientAddress peer(FileSlot slot) const noexcept {
    return peers_.empty() ? ClientAddress{} : peers_[static_cast<std::size_t>(index(slot))];
  }
  /// Before its client is opened.
  void note_peer(FileSlot slot, const ClientAddress& peer) noexcept {
    if (!peers_.empty()) peers_[static_cast<std::size_t>(index(slot))] = peer;
  }
  SlotCounts& slots() noexcept { return slots_; }  ///< how many are taken
  void on_slot_closed(bool dialled) noexcept {
    slots_.give_up(dialled);
    renewal_.slot_closed();
  }
  /// Nothing is due on it any more.
  void release(Client& client) noexcept {
    if (client.turned_away()) --turned_away_;
    if (!client.dialled()) stats_[Stat::closed].add(1);
    connections_.release(client);
  }

  /// What it found and took, for the log.
  WorkerReport report() const noexcept {
    WorkerReport report;
    report.connections_max = options_.connections_max;
    report.setup_flags = ring_.setup_flags();
    report.registered_ring_fd = ring_.registered_fd();
    report.fixed_buffers = memory_.registered();
    report.fixed_buffers_error = memory_.registered_error();
    report.multishot_timer = features_.has(Feature::timer_multishot);
    report.multishot_is_fair = multishot_is_fair();
    report.can_reset = can_reset();
    report.slot_releases = slot_releases();
    report.zero_copy_reports = features_.has(Feature::zero_copy_report);
    std::snprintf(report.pages, sizeof report.pages, "%s", memory_.pages_name());
    return report;
  }
  /// Closes that failed, though the peer was there.
  std::uint64_t shutdown_errors() const noexcept { return shutdown_errors_; }

 private:
  // Slots that are reused before their close is seen.
  static constexpr unsigned spare_connections = 64;

  static RingOptions ring_options(const WorkerOptions& options) noexcept {
    RingOptions ring = RingPreset::server(options.buffer_count, options.accepts_max);
    ring.sqpoll = options.sqpoll;
    ring.disabled = options.disabled_ring;
    return ring;
  }

  ZeroCopyMode zero_copy_mode() const noexcept {
    return possible(options_.zero_copy, features_.has(Feature::send_zero_copy),
                    features_.has(Feature::zero_copy_report) && !options_.peers_on_loopback);
  }

  // A peer that has reset its connection leaves nothing to shut down.
  void on_shutdown(Cqe cqe) noexcept {
    if (cqe.res < 0 && cqe.res != -ENOTCONN) ++shutdown_errors_;
  }

  const WorkerOptions options_;
  const Features& features_;
  WorkerStats& stats_;
  typename P::Shared& shared_;
  Ring ring_;
  FileTable table_;
  WorkerMemory<Client, P::uses_buffers> memory_;
  BufferBudget budget_;
  Connections<Client> connections_;
  BufferLine<Client, P::uses_buffers> buffer_line_;
  ZeroCopyPolicy zero_copy_;
  ReceiveRenewal<Client> renewal_{options_.receive_renewal_ms / tick_ms};
  std::optional<ClientLimits> limits_;
  unsigned turned_away_ = 0;          ///< connections that are there only to be refused
  std::vector<ClientAddress> peers_;  ///< by slot; empty: nobody asked
  SlotCounts slots_{table_.size(), dials_out<P>};
  std::uint64_t shutdown_errors_ = 0;
  std::uint64_t start_ns_ = 0;
  Bind<ShutdownSlot, &Commons::on_shutdown> shutdown_{*this};
};

}  // namespace lab
