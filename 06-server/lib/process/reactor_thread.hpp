// One reactor: a worker in a thread of its own, whose connections come from an acceptor.
//
// Lifetime: from the start until join(); the acceptor outlives it, since it tells the reactor to
// end. Rule: the thread makes what it uses, so its memory is near its CPU, and its ring is its own.
#pragma once

#include <pthread.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <span>
#include <thread>
#include <utility>

#include "01-core/lib/features.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/reactor_outlet.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/process/shared_hooks.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// What a reactor is given.
struct ReactorSetup {
  unsigned number = 0;                  ///< which one it is, from 0
  int cpu = -1;                         ///< to be pinned to; -1: none
  const WorkerOptions& options;         ///< as any worker's
  const Features& features;             ///< what the kernel has
  WorkerStats& stats;                   ///< its block
  std::span<Counter> limit_counters{};  ///< none, where there are no limits
  ReactorOutlet& outlet;                ///< the acceptor's end
};

/// The thread and what it leaves behind.
class ReactorThread {
 public:
  /// What becomes of its memory when its loop has ended.
  enum class AtEnd : std::uint8_t {
    leave,   ///< the process ends
    destroy  ///< it is given back, where nothing is due on it
  };

  ReactorThread() = default;

  /// Starts it and waits until it serves.
  /// @param make_shared called in its thread: what all its connections have in common, as a
  /// std::unique_ptr; see serve()
  /// @throws what that throws or the worker's constructor; std::system_error
  template <Protocol P, class MakeShared>
  void start(const ReactorSetup& setup, AtEnd at_end, const MakeShared& make_shared) {
    std::promise<WorkerReport> started;
    std::future<WorkerReport> report = started.get_future();
    thread_ =
        std::thread([&, own = setup, at_end] { serve<P>(own, at_end, make_shared, started); });
    try {
      report_ = report.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  ReactorThread(const ReactorThread&) = delete;
  ReactorThread& operator=(const ReactorThread&) = delete;

  /// What it found at its start.
  const WorkerReport& report() const noexcept { return report_; }
  /// Waits until its loop has ended. @return false: operations of it are still due
  bool join() {
    thread_.join();
    return clean_;
  }

 private:
  template <Protocol P, class MakeShared>
  void serve(const ReactorSetup& setup, AtEnd at_end, const MakeShared& make_shared,
             std::promise<WorkerReport>& started) noexcept {
    decltype(make_shared()) shared;
    std::unique_ptr<Worker<P>> worker;
    try {
      char name[16];
      std::snprintf(name, sizeof name, "reactor %u", setup.number);
      pthread_setname_np(pthread_self(), name);
      if (setup.cpu >= 0) pin_to_cpu(setup.cpu);
      shared = make_shared();
      worker = std::make_unique<Worker<P>>(setup.options, setup.features, setup.stats, *shared,
                                           setup.limit_counters);
      attach_hooks<P>(*worker, *shared);
      worker->start_as_reactor(setup.outlet.handover(), setup.outlet.reactor_control_fd());
    } catch (...) {
      return started.set_exception(std::current_exception());
    }
    started.set_value(worker->report());  // from here on it refers to nothing of start()
    clean_ = worker->run();
    if (at_end == AtEnd::leave || !clean_) left_ = {worker.release(), shared.release()};
    worker.reset();
    setup.outlet.handover().ended.store(true, std::memory_order_release);
  }

  WorkerReport report_;
  bool clean_ = false;                 ///< nothing was due at the end
  std::array<const void*, 2> left_{};  ///< its memory, where the kernel may still use it
  std::thread thread_;
};

}  // namespace lab
