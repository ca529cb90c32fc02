// One core's server: a ring, a file table, a buffer ring and a slab of connections, shared with
// nobody.
//
// Lifetime: made and run by one thread. All memory is allocated by the constructor; after it there
// is no malloc, no lock and one system call per turn of the loop. Order of shutdown: cancel →
// results → close slots → notifications → free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "01-core/lib/features.hpp"
#include "01-core/lib/timer.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/acceptor.hpp"
#include "06-server/lib/engine/buffer_budget.hpp"
#include "06-server/lib/engine/buffer_line.hpp"
#include "06-server/lib/engine/connection.hpp"
#include "06-server/lib/engine/connections.hpp"
#include "06-server/lib/engine/control.hpp"
#include "06-server/lib/engine/drain.hpp"
#include "06-server/lib/engine/receive_renewal.hpp"
#include "06-server/lib/engine/upkeep.hpp"
#include "06-server/lib/engine/worker_memory.hpp"
#include "06-server/lib/engine/worker_options.hpp"

namespace lab {

/// P: a Protocol.
template <class P>
class Worker {
 public:
  using Client = Connection<P>;

  /// @param shared what the protocol's connections have in common; it outlives the worker
  /// @throws std::system_error, std::bad_alloc
  Worker(const WorkerOptions& options, const Features& features, WorkerStats& stats,
         typename P::Shared& shared)
      : options_(options),
        features_(features),
        stats_(stats),
        shared_(shared),
        ring_(ring_options(options)),
        table_(ring_, options.connections_max),
        memory_(ring_, options),
        budget_(options.buffer_count, options.buffer_size),
        connections_(options.connections_max + spare_connections),
        zero_copy_(zero_copy_mode(), options.zero_copy_threshold) {
    if (zero_copy_mode() != ZeroCopyMode::never) memory_.register_arena();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Begins to accept and to tick.
  /// @param control_fd the supervisor's socketpair; -1: none
  void start(int listener_fd, int control_fd) noexcept {
    control_fd_ = control_fd;
    start_ns_ = ring_.now_ns();
    start_tick();
    if (control_fd_ >= 0) read_control_.start(ring_, control_fd_);
    acceptor_.start(listener_fd);
  }

  /// Serves until it was drained or stopped.
  /// @return true when nothing is due any more; false means: _exit, the kernel may still use our
  /// memory
  bool run() noexcept {
    while (stage_ != Stage::stopped) run_once();
    return ring_.armed_count() == 0;
  }

  /// One turn: one system call, the handlers, then what follows from them.
  void run_once() noexcept {
    ring_.run_once(more_to_grant_ ? 0 : 1);
    budget_.begin_turn();
    advance_ready();
    grant_pooled();
    grant_buffers();
    if (stage_ == Stage::serving) {
      acceptor_.steer();
    } else {
      steer_draining();
    }
  }

  /// No more accepts; connections close when they are quiet, at the deadline they are reset.
  void drain() noexcept {
    if (stage_ != Stage::serving) return;
    stage_ = Stage::draining;
    drain_.begin(tick());
    acceptor_.stop();
    for (Client* client = connections_.oldest(); client != nullptr;
         client = connections_.next(*client)) {
      client->drain();
    }
  }

  /// At once: run() returns without waiting for anything.
  void stop() noexcept { stage_ = Stage::stopped; }

  unsigned open_connections() const noexcept { return connections_.size(); }
  unsigned waiting_connections() const noexcept { return connections_.waiting(); }

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

  // --- what connections need ---

  Ring& ring() noexcept { return ring_; }
  typename P::Shared& shared() noexcept { return shared_; }
  BufferRing& buffers() noexcept { return memory_.buffers; }
  ReceivedBuffers& received() noexcept { return memory_.received; }
  PooledBuffers& pooled() noexcept { return memory_.pooled; }
  SegmentNodes& segment_nodes() noexcept { return memory_.segment_nodes; }
  SlabPool<GatherList>& gather_lists() noexcept { return memory_.gather_lists; }
  ZeroCopyPolicy& zero_copy() noexcept { return zero_copy_; }
  WorkerStats& stats() noexcept { return stats_; }
  /// Counts time in steps of tick_ms.
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>((ring_.now_ns() - start_ns_) / tick_ns);
  }

  bool scarce() const noexcept { return budget_.scarce(memory_.buffers.free()); }
  bool over_high_water(std::uint32_t held) const noexcept {
    return BufferBudget::over_high_water(held, memory_.buffers.free());
  }
  bool below_low_water(std::uint32_t held) const noexcept {
    return BufferBudget::below_low_water(held, memory_.buffers.free());
  }
  /// Pooled buffers that one connection may have waiting.
  std::uint32_t pooled_cap() const noexcept {
    return BufferBudget::pooled_cap(memory_.pooled.free());
  }
  /// A multishot receive begins.
  /// @return where it ends by itself, in bytes (0: nowhere, the kernel cannot)
  std::uint32_t grant_multishot() noexcept {
    const std::uint32_t share = budget_.grant_multishot();
    return features_.has(Feature::recv_total) ? share * memory_.buffers.size() : 0;
  }
  bool multishot_is_fair() const noexcept { return features_.has(Feature::recv_retry_limit); }
  bool can_reset() const noexcept { return features_.has(Feature::slot_options); }
  /// A closed slot lets its file go at once, whatever else is in flight (Linux 6.13).
  bool slot_releases() const noexcept { return features_.has(Feature::slot_release); }

  /// The SQE that comes next closes this slot: its peer shall hear of it now, not when the kernel
  /// lets the file go.
  void prepare_close(FileSlot slot) noexcept {
    if (slot_releases()) return;
    ring_.reserve(2);
    shutdown_.link_before_close(ring_, slot);
  }

  SendZeroCopy::Options zero_copy_options(SegmentKind kind) const noexcept {
    return {.report_usage = features_.has(Feature::zero_copy_report),
            .what_fits = true,
            .fixed = memory_.registered() && kind != SegmentKind::stable,
            .buffer_index = 0};
  }
  /// @param due notifications of this kind that the connection awaits already
  bool may_send_zero_copy(SegmentKind kind, std::uint32_t due) const noexcept {
    switch (kind) {
      case SegmentKind::stable:
        return true;
      case SegmentKind::pooled:
        return memory_.pooled.free() >= memory_.pooled.count() / 2;
      case SegmentKind::received:
        break;
    }
    return budget_.may_send_zero_copy(due, memory_.buffers.free());
  }
  ZeroCopySend<Client>* create_zero_copy_send(Sender<Client>& owner) noexcept {
    return memory_.zero_copy_sends.create(owner, Segment{});
  }
  void destroy_zero_copy_send(ZeroCopySend<Client>& send) noexcept {
    memory_.zero_copy_sends.destroy(&send);
  }
  void on_zero_copy_done(const Cqe& notification) noexcept {
    const bool copied = SendZeroCopy::copied(notification);
    zero_copy_.report(copied);
    stats_[copied ? Stat::zero_copy_copied : Stat::zero_copy_sent].add(1);
  }

  void mark_ready(Client& client) noexcept { connections_.mark_ready(client); }
  void move_to_youngest(Client& client) noexcept { connections_.move_to_youngest(client); }
  bool is_waiting(const Client& client) const noexcept { return connections_.is_waiting(client); }
  void wait_for_buffer(Client& client) noexcept { connections_.wait(client); }
  void leave_waiting(Client& client) noexcept { connections_.leave_waiting(client); }
  /// @return none: the client waits in line
  PooledBuffer take_pooled(Client& client) noexcept {
    PooledBuffer buffer = buffer_line_.may_take(client) ? memory_.pooled.take() : PooledBuffer{};
    if (!buffer) buffer_line_.join(client, tick());
    return buffer;
  }
  bool waits_for_pooled(const Client& client) const noexcept {
    return buffer_line_.contains(client);
  }
  void leave_pooled(Client& client) noexcept { buffer_line_.leave(client); }
  void receive_begins(Client& client) noexcept { renewal_.begins(client); }
  void receive_ended(Client& client) noexcept { renewal_.ended(client); }

  void on_slot_closed() noexcept {
    LAB_ASSERT(slots_used_ > 0);
    --slots_used_;
    renewal_.slot_closed();
  }

  /// Nothing is due on it any more.
  void release(Client& client) noexcept {
    connections_.release(client);
    stats_[Stat::closed].add(1);
  }

  // --- what the acceptor needs ---

  /// Connections that may still be taken: slots, and objects for them.
  unsigned room() const noexcept {
    const unsigned slots = table_.size() > slots_used_ ? table_.size() - slots_used_ : 0;
    return std::min(slots, connections_.free());
  }

  void adopt(FileSlot slot) noexcept {
    Client* client = connections_.create(*this, slot);
    if (client == nullptr) {
      // Only where a kernel's multishot accept goes on past a full completion queue: the acceptor
      // counts on room().
      stats_[Stat::accept_errors].add(1);
      prepare_close(slot);
      io_uring_sqe* sqe = ring_.sqe();
      io_uring_prep_close_direct(sqe, static_cast<unsigned>(index(slot)));
      ring_.submit_unowned(sqe);
      return;
    }
    ++slots_used_;
    stats_[Stat::accepted].add(1);
    client->opened();
  }

  void accept_failed() noexcept { stats_[Stat::accept_errors].add(1); }

 private:
  enum class Stage : std::uint8_t {
    serving,
    draining,  ///< no more accepts; connections close when they are quiet
    ending,    ///< the connections are gone, or will not go: the ring is emptied
    stopped
  };

  static constexpr unsigned spare_connections =
      64;  // slots that are reused before their close is seen
  static constexpr unsigned tick_ms = protocol_tick_ms;
  static constexpr std::uint64_t tick_ns = std::uint64_t{tick_ms} * 1'000'000U;
  static constexpr std::uint32_t ticks_per_second = 1000 / tick_ms;
  static constexpr std::uint32_t stuck_ticks = 250 / tick_ms;
  static constexpr std::uint32_t quiet_ticks = 200 / tick_ms;

  std::uint32_t idle_ticks() const noexcept {
    const unsigned timeout_ms = options_.idle_timeout_ms;
    return timeout_ms == 0 ? 0 : std::max(timeout_ms / tick_ms, 1U);
  }

  static RingOptions ring_options(const WorkerOptions& options) noexcept {
    RingOptions ring = RingPreset::server(options.buffer_count, options.accepts_max);
    ring.sqpoll = options.sqpoll;
    ring.disabled = options.disabled_ring;
    return ring;
  }

  ZeroCopyMode zero_copy_mode() const noexcept {
    if (options_.zero_copy == ZeroCopyMode::always && features_.has(Feature::send_zero_copy)) {
      return ZeroCopyMode::always;
    }
    const bool can_judge = features_.has(Feature::send_zero_copy) &&
                           features_.has(Feature::zero_copy_report) && !options_.peers_on_loopback;
    return options_.zero_copy == ZeroCopyMode::automatic && can_judge ? ZeroCopyMode::automatic
                                                                      : ZeroCopyMode::never;
  }

  void advance_ready() noexcept {
    while (Client* client = connections_.pop_ready()) client->advance();
  }

  // Whoever has waited gets a turn for each buffer that is home, in the order of the line.
  void grant_pooled() noexcept {
    if constexpr (P::uses_buffers) {
      while (memory_.pooled.free() > 0 && !buffer_line_.empty()) {
        mark_ready(buffer_line_.begin_turn());
        advance_ready();
        buffer_line_.end_turn();
      }
    }
  }

  // First come, first served.
  void grant_buffers() noexcept {
    more_to_grant_ = false;
    if (!connections_.anybody_waits()) return;
    auto round = budget_.begin_grants(memory_.buffers.free(), tick());
    while (Client* client = connections_.first_waiting()) {
      using Grant = BufferBudget::Grant;
      const Grant grant = round.next(client->more_waits(), client->receiving_since());
      if (grant == Grant::later) return;
      if (grant == Grant::none) {
        more_to_grant_ = memory_.buffers.free() > 0;
        return;
      }
      connections_.leave_waiting(*client);
      client->receive_granted(grant == Grant::whole ? 0 : budget_.bite());
    }
  }

  // --- time ---

  void start_tick() noexcept {
    if (features_.has(Feature::timer_multishot)) {
      timer_.start_multishot(ring_, tick_ns);
    } else {
      timer_.start(ring_, tick_ns);
    }
  }

  void on_tick(Cqe cqe) noexcept {
    if (!cqe.more() && stage_ != Stage::ending) start_tick();
    const std::uint32_t now = tick();
    publish();
    budget_.note_free(memory_.buffers.free(), now);
    upkeep_.close_idle(now);
    shed_stuck(now);
    if (!slot_releases()) renewal_.renew(now);
    if constexpr (P::uses_buffers) {
      if (now - deadlines_tick_ >= ticks_per_second) {
        deadlines_tick_ = now;
        upkeep_.check_deadlines();
      }
    }
  }

  void shed_stuck(std::uint32_t now) noexcept {
    if (connections_.anybody_waits() && memory_.buffers.free() == 0) {
      const std::uint32_t since = connections_.first_waiting()->receiving_since();
      const std::uint32_t wanted = std::min(connections_.waiting(), budget_.reserve());
      upkeep_.shed_stuck(now, since, wanted);
      if constexpr (P::uses_buffers) upkeep_.shed_holders(now, since, wanted);
    }
    if constexpr (P::uses_buffers) {
      if (!buffer_line_.empty()) {
        upkeep_.shed_holders(now, buffer_line_.first_since(), buffer_line_.size());
      }
    }
  }

  void publish() noexcept {
    stats_.heartbeat.add(1);
    const RingCounters& counters = ring_.counters();
    stats_[Stat::enters].set(counters.enters);
    stats_[Stat::completions].set(counters.completions);
    stats_[Stat::cq_overflows].set(counters.overflows);
    stats_[Stat::ring_errors].set(counters.unowned_errors + shutdown_errors_);
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    stats_[Stat::cpu_ns].set(static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                             static_cast<std::uint64_t>(time.tv_nsec));
  }

  // A peer that has reset its connection leaves nothing to shut down.
  void on_shutdown(Cqe cqe) noexcept {
    if (cqe.res < 0 && cqe.res != -ENOTCONN) ++shutdown_errors_;
  }

  // --- stopping ---

  void on_control(Cqe cqe) noexcept {
    if (cqe.res == 1 && read_control_.command() == command_stop) {
      stop();
      return;
    }
    drain();  // the command, or the supervisor is gone
    if (cqe.res == 1) read_control_.start(ring_, control_fd_);
  }

  void steer_draining() noexcept {
    if (stage_ == Stage::draining && drain_.is_time_to_look(tick())) {
      const bool past_deadline = drain_.past_deadline(tick());
      for (Client* client = connections_.oldest(); client != nullptr;
           client = connections_.next(*client)) {
        if (past_deadline && !client->aborting()) {
          stats_[Stat::drain_resets].add(1);
          client->reset();
        }
        if (client->open() && client->still_rests() &&
            tick() - client->last_activity() >= quiet_ticks) {
          client->wind_up();
        }
      }
    }
    if (connections_.empty() || drain_.too_late()) stop_ring();
  }

  // The connections are gone, or will not go: end what is left of our own. A cancel can miss what
  // is just going on, so it is repeated until nothing is armed.
  void stop_ring() noexcept {
    stage_ = Stage::ending;
    if (ring_.armed_count() == 0 || drain_.too_late()) {
      publish();
      stage_ = Stage::stopped;
    } else if (!cancel_all_.armed()) {
      cancel_all_.start_all(ring_);
    }
  }

  void on_cancel_all(Cqe) noexcept {}

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

  int control_fd_ = -1;
  /// True when a turn must not wait: somebody's turn may come at once.
  bool more_to_grant_ = false;
  Stage stage_ = Stage::serving;
  unsigned slots_used_ = 0;
  std::uint64_t shutdown_errors_ = 0;
  std::uint64_t start_ns_ = 0;
  std::uint32_t deadlines_tick_ = 0;  ///< of the latest look at them

  Upkeep<Client> upkeep_{connections_, stats_, idle_ticks(), stuck_ticks};
  ReceiveRenewal<Client> renewal_{options_.receive_renewal_ms / tick_ms};
  Drain drain_{options_.drain_deadline_ms / tick_ms, 1000 / tick_ms};
  Acceptor<Worker> acceptor_{ring_, *this, tick_ms};
  Bind<ShutdownSlot, &Worker::on_shutdown> shutdown_{*this};
  Bind<Timer, &Worker::on_tick> timer_{*this};
  Bind<ReadControl, &Worker::on_control> read_control_{*this};
  Bind<Cancel, &Worker::on_cancel_all> cancel_all_{*this};
};

}  // namespace lab
