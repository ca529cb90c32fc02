// One core's server: a ring, a file table, a buffer ring and a slab of connections, shared with
// nobody.
//
// Lifetime: made and run by one thread. All memory is allocated by the constructor; after it there
// is no malloc, no lock and one system call per turn of the loop. Order of shutdown: cancel →
// results → close slots → notifications → free.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "01-core/lib/features.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/acceptor.hpp"
#include "06-server/lib/engine/commons.hpp"
#include "06-server/lib/engine/control.hpp"
#include "06-server/lib/engine/drain.hpp"
#include "06-server/lib/engine/handover.hpp"
#include "06-server/lib/engine/reactor_inlet.hpp"
#include "06-server/lib/engine/ring_statistics.hpp"
#include "06-server/lib/engine/upkeep.hpp"
#include "06-server/lib/engine/worker_options.hpp"

namespace lab {

/// P: a Protocol.
template <class P>
class Worker {
 public:
  using Client = Connection<P>;  ///< one connection of it

  /// @param shared what the protocol's connections have in common; it outlives the worker
  /// @param limit_counters what its limits count, as LimitCounters::infos() says; none: in private
  /// @throws std::system_error, std::bad_alloc
  Worker(const WorkerOptions& options, const Features& features, WorkerStats& stats,
         typename P::Shared& shared, std::span<Counter> limit_counters = {})
      : commons_(options, features, stats, shared, limit_counters) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Begins to accept and to tick.
  /// @param control_fd the supervisor's socketpair; -1: none
  void start(int listener_fd, int control_fd) noexcept {
    begin(control_fd);
    acceptor_.start(listener_fd);
  }

  /// In place of start(): connections come from an acceptor's ring, which runs in another thread.
  /// @param handover the way they come; it outlives the worker
  void start_as_reactor(Handover& handover, int control_fd) {
    begin(control_fd);
    inlet_.emplace(ring_, *this, handover, commons_.asks_for_addresses());
  }

  /// What its supervisor sends while it serves goes to the protocol's side: something that was read
  /// anew.
  using HandleParcel = void (*)(typename P::Shared& shared, unsigned kind, Fd parcel) noexcept;
  /// Before start(). Without a handler, what comes is closed.
  void handle_parcels(HandleParcel handler) noexcept { handle_parcel_ = handler; }

  /// Serves until it was drained or stopped.
  /// @return true when nothing is due any more; false means: _exit, the kernel may still use our
  /// memory
  bool run() noexcept {
    while (stage_ != Stage::stopped) run_once();
    return ring_.armed_count() == 0;
  }

  /// One turn: one system call, the handlers, then what follows from them.
  void run_once() noexcept {
    ring_.run_once(more_to_grant_ || turn_is_due(commons_.shared()) ? 0 : 1);
    commons_.budget().begin_turn();
    begin_turn(commons_.shared());
    advance_ready();
    grant_pooled();
    grant_buffers();
    if (stage_ == Stage::serving) {
      inlet_ ? inlet_->steer() : acceptor_.steer();
    } else {
      steer_draining();
    }
  }

  /// No more accepts; connections close when they are quiet, at the deadline they are reset.
  void drain() noexcept {
    if (stage_ != Stage::serving) return;
    stage_ = Stage::draining;
    drain_.begin(tick());
    if (!inlet_) acceptor_.stop();
    for (Client* client = connections_.oldest(); client != nullptr;
         client = connections_.next(*client)) {
      client->drain();
    }
  }

  /// At once: run() returns without waiting for anything.
  void stop() noexcept { stage_ = Stage::stopped; }

  Commons<P>& commons() noexcept { return commons_; }  ///< lives as long as this
  Ring& ring() noexcept { return ring_; }              ///< the one of commons()
  unsigned open_connections() const noexcept { return connections_.size(); }  ///< closing ones, too
  /// Those that wait for a receive buffer.
  unsigned waiting_connections() const noexcept { return connections_.waiting(); }
  /// What it found and took, for the log. From its constructor on.
  WorkerReport report() const noexcept { return commons_.report(); }

  // --- what the acceptor needs ---

  std::uint32_t tick() const noexcept { return commons_.tick(); }  ///< in steps of tick_ms
  unsigned room() const noexcept { return commons_.room(); }  ///< clients that it can still take
  /// A client on a slot, closed again where there is no room. @param peer :: where nobody asked
  void adopt(FileSlot slot, const ClientAddress& peer = {}) noexcept {
    Client* client = commons_.create(slot);
    if (client == nullptr) {
      // Only where a kernel's multishot accept goes on past a full completion queue: the acceptor
      // counts on room().
      stats_[Stat::accept_errors].add(1);
      commons_.prepare_close(slot);
      io_uring_sqe* sqe = ring_.sqe();
      io_uring_prep_close_direct(sqe, static_cast<unsigned>(index(slot)));
      ring_.submit_unowned(sqe);
      return;
    }
    stats_[Stat::accepted].add(1);
    commons_.note_peer(slot, peer);
    client->opened();
  }

  /// In place of adopt() where its address was asked for: before anything is received, and before
  /// any TLS.
  void judge(FileSlot slot, const sockaddr_in6& address) noexcept {
    const auto peer = ClientAddress::from(address);
    std::optional<Refused> why;
    if (auto* limits = commons_.limits()) why = limits->judge(slot, peer, ring_.now_ns());
    if (!why) return adopt(slot, peer);
    Client* client = commons_.create(slot);
    LAB_ASSERT(client != nullptr);  // a one-shot accept has room
    stats_[Stat::accepted].add(1);
    client->turn_away(*why);
  }

  /// For the statistics; the acceptor tries again by itself.
  void accept_failed() noexcept { stats_[Stat::accept_errors].add(1); }

 private:
  enum class Stage : std::uint8_t {
    serving,
    draining,  ///< no more accepts; connections close when they are quiet
    ending,    ///< the connections are gone, or will not go: the ring is emptied
    stopped
  };

  static constexpr unsigned tick_ms = Commons<P>::tick_ms;
  static constexpr std::uint32_t quiet_ticks = 200 / tick_ms;

  void begin(int control_fd) noexcept {
    control_fd_ = control_fd;
    commons_.start_clock();
    start_tick();
    if (control_fd_ >= 0) read_control_.start(ring_, control_fd_);
  }

  void advance_ready() noexcept {
    while (Client* client = connections_.pop_ready()) client->advance();
  }

  void grant_pooled() noexcept {
    commons_.buffer_line().grant(commons_.pooled(), [this](Client& client) noexcept {
      commons_.mark_ready(client);
      advance_ready();
    });
  }

  // First come, first served.
  void grant_buffers() noexcept {
    more_to_grant_ = false;
    if (!connections_.anybody_waits()) return;
    BufferBudget& budget = commons_.budget();
    const BufferRing& buffers = commons_.buffers();
    auto round = budget.begin_grants(buffers.free(), tick());
    while (Client* client = connections_.first_waiting()) {
      using Grant = BufferBudget::Grant;
      const Grant grant = round.next(client->more_waits(), client->receiving_since());
      if (grant == Grant::later) return;
      if (grant == Grant::none) {
        more_to_grant_ = buffers.free() > 0;
        return;
      }
      connections_.leave_waiting(*client);
      client->receive_granted(grant == Grant::whole ? 0 : budget.bite());
    }
  }

  // --- time ---

  void start_tick() noexcept {
    if (commons_.features().has(Feature::timer_multishot)) {
      timer_.start_multishot(ring_, Commons<P>::tick_ns);
    } else {
      timer_.start(ring_, Commons<P>::tick_ns);
    }
  }

  void on_tick(Cqe cqe) noexcept {
    if (!cqe.more() && stage_ != Stage::ending) start_tick();
    publish();
    upkeep_.tick(tick());
  }

  void publish() noexcept {
    stats_.heartbeat.add(1);
    counted_.publish(commons_.shutdown_errors());
  }

  // --- stopping ---

  void on_control(Cqe cqe) noexcept {
    if (cqe.res == 1 && read_control_.command() == command_stop) {
      stop();
      return;
    }
    if (cqe.res == 1 && read_control_.is_parcel()) {
      Fd parcel = read_control_.take_descriptor();
      if (handle_parcel_ != nullptr) {
        handle_parcel_(commons_.shared(), read_control_.parcel_kind(), std::move(parcel));
      }
    } else {
      drain();  // the command, or the supervisor is gone
    }
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
        if (client->open() && client->still_rests() && client->other_rests() &&
            tick() - client->last_activity() >= quiet_ticks) {
          client->wind_up();
        }
      }
    }
    const bool late = drain_.too_late();
    if ((connections_.empty() || late) && commons_.settle(late)) stop_ring();
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

  Commons<P> commons_;
  Ring& ring_ = commons_.ring();
  Connections<Client>& connections_ = commons_.connections();
  WorkerStats& stats_ = commons_.stats();
  RingStatistics counted_{ring_, stats_};

  int control_fd_ = -1;
  HandleParcel handle_parcel_ = nullptr;
  /// True when a turn must not wait: somebody's turn may come at once.
  bool more_to_grant_ = false;
  Stage stage_ = Stage::serving;

  Upkeep<Commons<P>> upkeep_{commons_};
  Drain drain_{commons_.options().drain_deadline_ms / tick_ms, 1000 / tick_ms};
  using Ask = typename Acceptor<Worker>::Ask;
  Acceptor<Worker> acceptor_{ring_, *this, tick_ms,
                             commons_.asks_for_addresses() ? Ask::address : Ask::nothing};
  /// Where its connections come from, when it is a reactor.
  std::optional<ReactorInlet<Worker>> inlet_;
  Bind<Timer, &Worker::on_tick> timer_{*this};
  Bind<ReadControl, &Worker::on_control> read_control_{*this};
  Bind<Cancel, &Worker::on_cancel_all> cancel_all_{*this};
};

}  // namespace lab
