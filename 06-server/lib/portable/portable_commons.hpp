// What the connections of a worker on libuv have in common: its loop, its memory, its lists, and
// who may have how much of them.
//
// Lifetime: its worker's. Rule: as engine/commons.hpp, whose words it has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/buffer_budget.hpp"
#include "06-server/lib/engine/buffer_line.hpp"
#include "06-server/lib/engine/client_limits.hpp"
#include "06-server/lib/engine/connections.hpp"
#include "06-server/lib/engine/pooled_buffers.hpp"
#include "06-server/lib/engine/segment_queue.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/portable/portable_connection.hpp"
#include "06-server/lib/portable/uv_loop.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// P: a Protocol.
template <class P>
class PortableCommons {
 public:
  using Client = PortableConnection<P>;                  ///< what is listed here
  static constexpr bool uses_buffers = P::uses_buffers;  ///< there are pooled buffers

  /// @param descriptors_max the process has no more
  /// @param limit_counters see ClientLimits
  /// @throws std::system_error, std::bad_alloc
  PortableCommons(const WorkerOptions& options, WorkerStats& stats, typename P::Shared& shared,
                  unsigned descriptors_max, std::span<Counter> limit_counters)
      : options_(options),
        stats_(stats),
        shared_(shared),
        memory_(std::make_unique_for_overwrite<std::byte[]>(received_bytes() + pooled_bytes())),
        received_({memory_.get(), received_bytes()}, options.buffer_count, options.buffer_size,
                  SegmentKind::received),
        pooled_({memory_.get() + received_bytes(), pooled_bytes()}, pooled_count(),
                options.pooled_size),
        segment_nodes_(nodes()),
        budget_(options.buffer_count, options.buffer_size),
        connections_(options.connections_max) {
    if (options.limits.any()) {
      limits_.emplace(options.limits, descriptors_max, now_ns(), limit_counters);
    }
  }
  PortableCommons(const PortableCommons&) = delete;
  PortableCommons& operator=(const PortableCommons&) = delete;

  UvLoop& loop() noexcept { return loop_; }                           ///< of this worker alone
  const WorkerOptions& options() const noexcept { return options_; }  ///< as they were given
  WorkerStats& stats() noexcept { return stats_; }                    ///< in shared memory
  /// Null: there are none. A client's slot is its descriptor.
  ClientLimits* limits() noexcept { return limits_ ? &*limits_ : nullptr; }
  typename P::Shared& shared() noexcept { return shared_; }  ///< of its protocol
  BufferBudget& budget() noexcept { return budget_; }  ///< who may have how many receive buffers
  Connections<Client>& connections() noexcept { return connections_; }  ///< all that are not closed
  /// Who waits for a pooled buffer.
  BufferLine<Client, uses_buffers>& buffer_line() noexcept { return buffer_line_; }
  PooledBuffers& received() noexcept { return received_; }           ///< those that libuv fills
  PooledBuffers& buffers() noexcept { return received_; }            ///< the same, for Upkeep
  PooledBuffers& pooled() noexcept { return pooled_; }               ///< those that protocols fill
  SegmentNodes& segment_nodes() noexcept { return segment_nodes_; }  ///< places in all queues

  /// Counts time in steps of protocol_tick_ms, from start_clock() on.
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>((loop_.now_ms() - start_ms_) / protocol_tick_ms);
  }
  /// Tick 0 is now.
  void start_clock() noexcept {
    start_ms_ = loop_.now_ms();
    if (limits_) limits_->start_clock(now_ns());
  }

  /// The clock that the limits go by.
  std::uint64_t now_ns() const noexcept { return uv_hrtime(); }

  // --- who is let in: as in engine/commons.hpp ---

  /// The socket at this slot is about to be closed: from then on it may be somebody else's.
  void leaves(FileSlot slot) noexcept {
    if (limits_) limits_->leave(slot);
  }
  /// Not too many of them are listened to already.
  bool may_linger_turned_away() const noexcept {
    return turned_away_ < options_.connections_max / 8;
  }
  void turns_away() noexcept { ++turned_away_; }  ///< one more
  /// @return what the protocol writes beside connections is written, or given up.
  bool settle(bool late) noexcept {
    if constexpr (requires { shared_.settle(late); }) return shared_.settle(late);
    return true;
  }

  // --- buffers ---

  /// See BufferBudget, as the next two.
  bool scarce() const noexcept { return budget_.scarce(received_.free()); }
  /// A connection that holds so many has to pause.
  bool over_high_water(std::uint32_t held) const noexcept {
    return BufferBudget::over_high_water(held, received_.free());
  }
  /// One that has paused for that may go on.
  bool below_low_water(std::uint32_t held) const noexcept {
    return BufferBudget::below_low_water(held, received_.free());
  }
  /// Pooled buffers that one connection may have waiting.
  std::uint32_t pooled_cap() const noexcept { return BufferBudget::pooled_cap(pooled_.free()); }
  /// The receive buffer that libuv is about to fill: from its question for one to its answer.
  PooledBuffer& in_hand() noexcept { return in_hand_; }
  /// Where bytes go that nobody wants.
  std::span<std::byte> waste() noexcept { return waste_; }

  // --- lists ---

  /// It advances before this turn ends.
  void mark_ready(Client& client) noexcept { connections_.mark_ready(client); }
  /// It advances in the next turn of the loop, which then waits for nothing: its socket takes all
  /// that it is given, and the others shall have their turn in between.
  void take_turn_later(Client& client) noexcept {
    if (!later_.contains(client)) later_.push_back(client);
  }
  /// The next turn waits for nothing.
  bool anybody_later() const noexcept { return !later_.empty(); }
  /// Those of take_turn_later() are ready.
  void begin_turn() noexcept {
    budget_.begin_turn();
    while (Client* client = later_.front()) {
      later_.remove(*client);
      connections_.mark_ready(*client);
    }
  }
  /// Something moved on it.
  void move_to_youngest(Client& client) noexcept { connections_.move_to_youngest(client); }
  /// For a receive buffer.
  bool is_waiting(const Client& client) const noexcept { return connections_.is_waiting(client); }
  /// At the end of the list.
  void wait_for_buffer(Client& client) noexcept { connections_.wait(client); }
  /// It wants none for now.
  void leave_waiting(Client& client) noexcept { connections_.leave_waiting(client); }
  /// @return none: the client waits in line
  PooledBuffer take_pooled(Client& client) noexcept {
    PooledBuffer buffer = buffer_line_.may_take(client) ? pooled_.take() : PooledBuffer{};
    if (!buffer) buffer_line_.join(client, tick());
    return buffer;
  }
  /// It stands in line.
  bool waits_for_pooled(const Client& client) const noexcept {
    return buffer_line_.contains(client);
  }
  /// It wants none any more.
  void leave_pooled(Client& client) noexcept { buffer_line_.leave(client); }

  /// Nothing is due on it any more.
  void release(Client& client) noexcept {
    LAB_ASSERT(!client.ready);
    if (client.turned_away()) --turned_away_;
    if (later_.contains(client)) later_.remove(client);
    connections_.release(client);
    stats_[Stat::closed].add(1);
  }

 private:
  std::size_t received_bytes() const noexcept {
    return std::size_t{options_.buffer_count} * options_.buffer_size;
  }
  unsigned pooled_count() const noexcept { return uses_buffers ? options_.pooled_count : 0; }
  std::size_t pooled_bytes() const noexcept {
    return std::size_t{pooled_count()} * options_.pooled_size;
  }
  // One for each receive buffer, and what a connection may have of others, the rest of one that was
  // sent in part, and what its protocol gave back of a segment that it cut: so it never runs dry.
  std::uint32_t nodes() const noexcept {
    const std::uint32_t others =
        uses_buffers ? options_.connections_max * (UvSender<Client>::others_max + 2) : 0;
    return options_.buffer_count + others;
  }

  const WorkerOptions options_;
  WorkerStats& stats_;
  typename P::Shared& shared_;
  UvLoop loop_;
  std::unique_ptr<std::byte[]> memory_;
  std::array<std::byte, 64U << 10> waste_;
  PooledBuffers received_;
  PooledBuffers pooled_;
  SegmentNodes segment_nodes_;
  BufferBudget budget_;
  Connections<Client> connections_;
  BufferLine<Client, uses_buffers> buffer_line_;
  IntrusiveList<Client, &Client::later_link> later_;
  PooledBuffer in_hand_;
  std::optional<ClientLimits> limits_;
  unsigned turned_away_ = 0;
  std::uint64_t start_ms_ = 0;
};

}  // namespace lab
