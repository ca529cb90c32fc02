// Starts one worker process per core, watches them, starts dead ones again, and ends them in order.
//
// A dead worker's listener stays open here, so the clients that wait in its backlog are served by
// the next one. Workers share nothing but their blocks of statistics, which only they write. Only
// the supervisor writes to the standard streams, and it never waits for who reads them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "03-network/lib/listener.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/process/admin_process.hpp"
#include "06-server/lib/process/counter_alarms.hpp"
#include "06-server/lib/process/listener_group.hpp"
#include "06-server/lib/process/output.hpp"
#include "06-server/lib/process/reactor_watch.hpp"
#include "06-server/lib/process/reload.hpp"
#include "06-server/lib/process/server_log.hpp"
#include "06-server/lib/process/server_signals.hpp"
#include "06-server/lib/process/server_statistics.hpp"
#include "06-server/lib/process/service_manager.hpp"
#include "06-server/lib/process/supervised_worker.hpp"
#include "06-server/lib/process/supervisor_ring.hpp"
#include "06-server/lib/process/topology.hpp"
#include "06-server/lib/process/worker_process.hpp"

namespace lab {

/// What it is told at its start. Nothing of it changes afterwards.
struct SupervisorOptions {
  const char* name = "server";              ///< in front of every line of the log
  bool log_time = false;                    ///< the time, before it
  std::string warning;                      ///< the log's first line; empty: none
  ListenerOptions listener;                 ///< reuse_port is the supervisor's own choice
  std::vector<int> passed;                  ///< see PassedSockets; listener says where they are
  unsigned workers = 1;                     ///< processes or reactors, as topology says
  bool portable = false;                    ///< there is no io_uring
  Topology topology = Topology::reuseport;  ///< processes or threads
  ConnectionBalance balance = ConnectionBalance::round_robin;  ///< of Topology::reactors
  bool pin = true;  ///< each worker to a CPU of its own, as far as there are enough
  Steering steering = Steering::automatic;  ///< of Topology::reuseport
  unsigned source_prefix_bits = 64;         ///< of an IPv6 address, for Steering::source
  unsigned drain_deadline_ms = 5'000;       ///< then what is left is reset
  unsigned stats_interval_ms = 10'000;      ///< 0: only the summary
  std::string stats_json;             ///< a file for one JSON object per interval; "-": stdout
  bool stdout_is_data = false;        ///< the workers write to it: no line of ours goes there
  std::vector<CounterInfo> counters;  ///< what the workers count beside the statistics
  std::vector<CounterAlarm> alarms;   ///< those of them that are told when they grow
  AdminOptions admin;                 ///< of the process behind --admin
  WorkerMain worker_main;  ///< runs in each forked process; its argument outlives the supervisor
  /// At a signal, or when what one watches changes. None at SIGHUP: that drains.
  std::vector<Reload> reloads;
  std::string hint;  ///< a line when it listens, see with_place(); empty: none
  /// Says what is in use, from the first worker's report. Called with worker_main's argument.
  std::string (*describe)(const void* argument, const WorkerReport& report) = nullptr;

  /// Which processes follow from that.
  ProcessLayout layout() const noexcept {
    return {.topology = topology, .balance = balance, .workers = workers};
  }
};

/// REQUIRES: a process with a single thread, as it forks.
class Supervisor {
 public:
  /// Opens the listeners.
  /// @throws std::exception that says what is wrong and how to mend it; std::invalid_argument
  explicit Supervisor(const SupervisorOptions& options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Serves until SIGTERM, SIGINT, SIGHUP (unless it reloads) or SIGQUIT. The first drains, a
  /// second one stops at once.
  /// @return the exit code: 0 drained, connections that took longer than the deadline reset; 1 when
  /// something was not in order, which the log says: it could not start, a worker died while
  /// draining, a second signal, statistics that could not be written
  int run();

 private:
  using Child = SupervisedWorker<Supervisor>;
  friend Child;
  friend Reloading<Supervisor>;

  enum class State { starting, serving, draining, ended };

  // Starting and restarting.
  void start(Child& child);
  void restart_due();
  void on_worker_refused(Child& child) {
    log_("worker {} could not start: {}", child.index, child.report().error);
  }
  void on_worker_ready(Child& child);
  void announce();
  void on_worker_exit(Child& child) {
    statistics_.retire(child.index);
    reactors_.forget();
  }
  void on_worker_ended(Child& child);
  void plan_restart(Child& child, const std::string& what);

  // Watching.
  void on_signal(Cqe cqe) noexcept;
  void on_tick(Cqe cqe) noexcept;
  void watch();
  void tell_manager() {
    const auto serves = [this](unsigned block) {
      return children_[layout_.has_reactors() ? 0 : block]->serves();
    };
    const auto reads = [](const auto& what) { return what->reads(); };
    manager_.tick(statistics_.shared(), serves, state_ == State::draining);
    if (manager_.reloads() && std::none_of(reloading_.begin(), reloading_.end(), reads)) {
      manager_.ready("listening on " + listeners_.address());
    }
  }

  // Reading anew.
  bool may_read_anew() const noexcept {
    return state_ == State::starting || state_ == State::serving;
  }
  /// @return whether anything is read anew at this signal, though not while it ends
  bool read_anew(int signal) {
    bool any = false;
    const bool told = signal == SIGHUP && state_ == State::serving;
    for (auto& what : reloading_) {
      if (what->signal() != signal) continue;
      any = true;
      if (may_read_anew()) what->begin();
    }
    if (any && told) manager_.reloading();
    return any;
  }
  void on_read_anew(Reloading<Supervisor>& what);
  void pass_on(Reloading<Supervisor>& what, Child& child);

  // Stopping.
  void drain();
  void stop_now();
  bool all_ended() const noexcept {
    return std::all_of(children_.begin(), children_.end(),
                       [](const auto& child) { return child->ended(); });
  }
  void report_end();

  std::uint64_t now_ms() const noexcept { return ring_.now_ns() / 1'000'000U; }

  const SupervisorOptions options_;
  const ProcessLayout layout_ = options_.layout();
  ServerSignals signals_;
  SupervisorRing supervisor_ring_{!options_.portable};
  Ring& ring_ = supervisor_ring_.ring();
  ServerLog log_;
  Output stdout_;
  ServerStatistics statistics_;
  CounterAlarms alarms_;
  ServiceManager manager_{layout_.blocks()};
  ReactorWatch reactors_{layout_.has_reactors() ? layout_.workers : 0};
  ListenerGroup listeners_;
  std::vector<std::unique_ptr<Child>> children_;
  std::optional<AdminProcess> admin_;
  State state_ = State::starting;
  bool served_ = false;       ///< all workers were ready once
  bool failed_ = false;       ///< something was not in order: the exit code is 1
  bool stdout_told_ = false;  ///< that standard output failed is in the log
  unsigned last_ticks_ = 0;   ///< since it waits for who reads its last lines
  std::uint64_t drain_ms_ = 0;
  int drain_signal_ = 0;
  std::uint64_t reported_ms_ = 0;
  Bind<PollReadable, &Supervisor::on_signal> signal_{*this};
  std::vector<std::unique_ptr<Reloading<Supervisor>>> reloading_;
  Bind<Timer, &Supervisor::on_tick> timer_{*this};
};

}  // namespace lab
