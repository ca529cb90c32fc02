// The process behind --admin: what the workers counted and whether they serve, over HTTP. It has a
// ring of its own, so a worker that hangs does not keep it from telling.
//
// Lifetime: in the supervisor; the operations of its process are armed until finish().
#pragma once

#include <cstdint>
#include <span>

#include "01-core/lib/features.hpp"
#include "01-core/lib/ring.hpp"
#include "03-network/lib/listener.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/server_log.hpp"
#include "06-server/lib/process/server_signals.hpp"
#include "06-server/lib/process/supervised_worker.hpp"

namespace lab {

/// What --admin asks for.
struct AdminOptions {
  bool on = false;                     ///< false: there is no such process
  ListenerOptions listener;            ///< an address and a port of its own
  const Features* features = nullptr;  ///< what the kernel has
  bool portable = false;               ///< it does without io_uring, too
};

/// One child of the supervisor beside the workers. When it dies it is started again; that is no
/// error of the server.
class AdminProcess {
 public:
  /// What it shows.
  struct Shown {
    const SharedStats& stats;            ///< the workers' blocks; outlives it
    std::span<const CounterInfo> infos;  ///< of all counters of a worker
    unsigned workers;                    ///< blocks of stats that are shown
  };

  /// Opens the listener.
  /// @throws std::runtime_error with the cause and its cure, std::invalid_argument
  AdminProcess(Ring& ring, ServerLog& log, const AdminOptions& options, const Shown& shown);
  AdminProcess(const AdminProcess&) = delete;
  AdminProcess& operator=(const AdminProcess&) = delete;

  /// @throws std::system_error
  void start(const ServerSignals& signals);
  /// Once per tick of the supervisor: looks whether it lives, and starts it again when it is due.
  /// @param tick_ms how long one is
  void tick(const ServerSignals& signals, std::uint64_t tick_ms);
  /// The workers have ended: so does it, after what it has begun to answer, a second at most.
  /// REQUIRES: something wakes the ring now and then
  void finish();

 private:
  using Child = SupervisedWorker<AdminProcess>;
  friend Child;

  static int serve(const void* self, const WorkerContext& context);

  void on_worker_ready(Child& child);
  void on_worker_refused(Child& child);
  void on_worker_exit(Child&) noexcept {}
  void on_worker_ended(Child& child);
  void restart_due() noexcept {}  // tick() does

  Ring& ring_;
  ServerLog& log_;
  const AdminOptions options_;
  const Shown shown_;
  const Listener listener_;
  SharedStats own_;  ///< what it counts itself; nobody is shown that
  bool told_ = false;
  bool finishing_ = false;
  Child child_{*this, ring_, 0};
};

}  // namespace lab
