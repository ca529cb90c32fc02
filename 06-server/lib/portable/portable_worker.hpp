// One core's server without io_uring: libuv's loop, a pool of buffers and a slab of connections,
// shared with nobody. The protocols, limits, statistics and the supervisor are those of
// engine/worker.hpp.
//
// Lifetime: made and run by one thread; libuv adds some that read files. All memory of ours is
// allocated by the constructor. libuv's table of descriptors grows with the highest of them.
#pragma once

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

#include "02-files/lib/fd.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/control_message.hpp"
#include "06-server/lib/engine/drain.hpp"
#include "06-server/lib/engine/upkeep.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/limits/refused.hpp"
#include "06-server/lib/portable/portable_commons.hpp"
#include "06-server/lib/portable/uv_acceptor.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// P: a Protocol.
template <class P>
class PortableWorker {
 public:
  using Client = PortableConnection<P>;  ///< one connection of it

  /// SIGPIPE is ignored from here on: libuv writes to sockets whose peers may be gone.
  /// @param shared what the protocol's connections have in common; it outlives the worker
  /// @param limit_counters what its limits count, as LimitCounters::infos() says; none: in private
  /// @throws std::system_error, std::bad_alloc
  PortableWorker(const WorkerOptions& options, WorkerStats& stats, typename P::Shared& shared,
                 std::span<Counter> limit_counters = {})
      : commons_(fit_to_descriptors(options), stats, shared, descriptors_max(), limit_counters) {
    std::signal(SIGPIPE, SIG_IGN);
  }
  PortableWorker(const PortableWorker&) = delete;
  PortableWorker& operator=(const PortableWorker&) = delete;

  /// Begins to accept and to tick. The descriptors do not block from here on.
  /// @param control_fd the supervisor's socketpair; -1: none
  /// @throws std::system_error
  void start(int listener_fd, int control_fd) {
    uv_update_time(loop_.raw());
    commons_.start_clock();
    uv_timer_init(loop_.raw(), &timer_);
    timer_.data = this;
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<PortableWorker*>(timer->data)->on_tick(); },
        protocol_tick_ms, protocol_tick_ms);
    control_fd_ = control_fd;
    if (control_fd_ >= 0) {
      check_uv(uv_poll_init(loop_.raw(), &control_, control_fd), "uv_poll_init");
      control_.data = this;
      uv_poll_start(&control_, UV_READABLE, [](uv_poll_t* poll, int, int) {
        static_cast<PortableWorker*>(poll->data)->on_control();
      });
    }
    acceptor_.start(loop_, listener_fd);
  }

  /// What its supervisor sends while it serves goes to the protocol's side: something that was read
  /// anew.
  using HandleParcel = void (*)(typename P::Shared& shared, unsigned kind, Fd parcel) noexcept;
  /// Before start().
  void handle_parcels(HandleParcel handler) noexcept { handle_parcel_ = handler; }

  /// Serves until it was drained or stopped.
  /// @return true when nothing is due any more; false means: _exit, libuv may still use our memory
  bool run() noexcept {
    while (stage_ != Stage::stopped) run_once();
    if (!connections_.empty()) return false;
    uv_close(as_handle(timer_), nullptr);
    if (control_fd_ >= 0) uv_close(as_handle(control_), nullptr);
    acceptor_.close();
    loop_.run_to_end();
    return true;
  }

  /// One turn: what the loop brings, then what follows from it.
  void run_once() noexcept {
    const bool is_due =
        more_to_grant_ || commons_.anybody_later() || turn_is_due(commons_.shared());
    loop_.run_once(!is_due);
    commons_.begin_turn();
    begin_turn(commons_.shared());
    advance_ready();
    grant_pooled();
    grant_buffers();
    if (stage_ == Stage::draining) steer_draining();
    acceptor_.steer();
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

  /// Those that close, too.
  unsigned open_connections() const noexcept { return connections_.size(); }

  /// What it runs on, for the log.
  WorkerReport report() const noexcept {
    WorkerReport report;
    report.connections_max = commons_.options().connections_max;
    report.can_reset = true;
    report.slot_releases = true;
    std::snprintf(report.engine, sizeof report.engine, "libuv %s", uv_version_string());
    std::snprintf(report.pages, sizeof report.pages, "plain pages");
    return report;
  }

  // --- what the acceptor needs ---

  std::uint32_t tick() const noexcept { return commons_.tick(); }  ///< in steps of protocol_tick_ms
  /// Connections that may still be taken.
  unsigned room() const noexcept { return connections_.free(); }
  /// Judged before anything is received, and before any TLS.
  void adopt(int fd, const sockaddr_in6& address) noexcept {
    const auto peer = ClientAddress::from(address);
    const bool asked = commons_.options().peer_addresses;
    // The acceptor counts on room().
    Client* client = connections_.create(commons_, asked ? peer : ClientAddress{});
    if (!client->take_socket(fd)) return accept_failed();
    stats_[Stat::accepted].add(1);
    std::optional<Refused> why;
    if (auto* limits = commons_.limits()) {
      why = limits->judge(client->slot(), peer, commons_.now_ns());
    }
    if (why) {
      client->turn_away(*why);
    } else {
      client->opened();
    }
  }
  void accept_failed() noexcept { stats_[Stat::accept_errors].add(1); }  ///< for the statistics

 private:
  enum class Stage : std::uint8_t {
    serving,
    draining,  ///< no more accepts; connections close when they are quiet
    stopped
  };

  static constexpr std::uint32_t quiet_ticks = 200 / protocol_tick_ms;
  // Each look is a system call. Ten thousand a second where nothing else goes on.
  static constexpr unsigned looks_max = 256;
  // The standard three, the listener, the control socket, files, and what libuv has of its own.
  static constexpr unsigned other_descriptors = 64;

  // Here a connection is a descriptor.
  static WorkerOptions fit_to_descriptors(WorkerOptions options) noexcept {
    const unsigned all = descriptors_max();
    const unsigned left = all > 2 * other_descriptors ? all - other_descriptors : all / 2;
    options.connections_max = std::clamp(options.connections_max, 1U, left);
    return options;
  }
  static unsigned descriptors_max() noexcept {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<unsigned>(std::clamp<rlim_t>(limit.rlim_cur, 2, 1U << 30));
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

  // First come, first served; but who cannot take an answer takes no buffer either, and is asked
  // again in the next turn, which comes with the next tick if not before.
  void grant_buffers() noexcept {
    more_to_grant_ = false;
    BufferBudget& budget = commons_.budget();
    auto round = budget.begin_grants(commons_.buffers().free(), tick());
    for (unsigned turns = std::min(connections_.waiting(), looks_max); turns > 0; --turns) {
      Client* client = connections_.first_waiting();
      if (client == nullptr) return;
      if (!client->takes_answers()) {
        client->wait_again();
        continue;
      }
      using Grant = BufferBudget::Grant;
      const Grant grant = round.next(client->more_waits(), client->receiving_since());
      if (grant == Grant::later) return;
      if (grant == Grant::none) {
        more_to_grant_ = commons_.buffers().free() > 0;
        return;
      }
      connections_.leave_waiting(*client);
      client->receive_granted(grant == Grant::whole ? 0 : budget.bite());
    }
  }

  // --- time ---

  void on_tick() noexcept {
    stats_.heartbeat.add(1);
    timespec time{};  // with the threads that read files
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    stats_[Stat::cpu_ns].set(cpu_ns_before_ +
                             static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                             static_cast<std::uint64_t>(time.tv_nsec));
    upkeep_.tick(tick());
  }

  // --- stopping ---

  void on_control() noexcept {
    const ssize_t size = recvmsg(control_fd_, message_.prepare(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size == 1 && message_.command() == command_stop) return stop();
    if (size == 1 && message_.is_parcel()) {
      Fd parcel = message_.take_descriptor();
      if (handle_parcel_ != nullptr) {
        handle_parcel_(commons_.shared(), message_.parcel_kind(), std::move(parcel));
      }
      return;
    }
    drain();  // the command, or the supervisor is gone
    if (size != 1) uv_poll_stop(&control_);
  }

  void steer_draining() noexcept {
    if (drain_.is_time_to_look(tick())) {
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
      advance_ready();
    }
    const bool late = drain_.too_late();
    if ((connections_.empty() || late) && commons_.settle(late)) stage_ = Stage::stopped;
  }

  PortableCommons<P> commons_;
  UvLoop& loop_ = commons_.loop();
  Connections<Client>& connections_ = commons_.connections();
  WorkerStats& stats_ = commons_.stats();
  const std::uint64_t cpu_ns_before_ = stats_.get(Stat::cpu_ns);  ///< of the processes before this

  HandleParcel handle_parcel_ = nullptr;
  /// True when a turn must not wait: somebody's turn may come at once.
  bool more_to_grant_ = false;
  Stage stage_ = Stage::serving;
  int control_fd_ = -1;
  uv_timer_t timer_;
  uv_poll_t control_;
  ControlMessage message_;
  Upkeep<PortableCommons<P>> upkeep_{commons_};
  Drain drain_{commons_.options().drain_deadline_ms / protocol_tick_ms, 1000 / protocol_tick_ms};
  UvAcceptor<PortableWorker> acceptor_{*this};
};

}  // namespace lab
