// A Worker<Echo> in a thread of the test, with a listener and a control socket of its own.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "01-core/lib/features.hpp"
#include "02-files/lib/fd.hpp"
#include "03-network/lib/listener.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/protocol/echo.hpp"
#include "tests/server/support.hpp"

namespace lab {

class WorkerThread {
 public:
  using EchoWorker = Worker<Echo>;

  /// Stands in for run(), in the worker's thread, with what is to be done before and after it.
  using Loop = std::function<bool(EchoWorker&)>;

  /// Starts it and waits until it serves.
  /// @throws what the worker's constructor throws
  explicit WorkerThread(const WorkerOptions& options = small(),
                        const Features& features = all_features(), Loop loop = &EchoWorker::run);
  /// Drains it, where the test has not: a worker that does not end aborts the test program.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  std::uint16_t port() const { return listener_.port(); }
  const WorkerStats& stats() const { return *stats_; }
  std::uint64_t stat(Stat which) const { return stats_->get(which); }
  const WorkerReport& report() const { return report_; }

  /// Tells it to drain, as the supervisor does.
  void drain() { command(command_drain); }
  void stop() { command(command_stop); }
  void command(char command);
  /// The supervisor's end of the control socket goes away.
  void close_control() { control_.reset(); }
  /// What run() returned. After true the worker was destroyed, with all that its destructors
  /// assert.
  bool join();
  /// Both.
  bool finish() {
    drain();
    return join();
  }

  /// A worker that starts quickly.
  static WorkerOptions small() {
    return {.connections_max = 256, .buffer_count = 512, .buffer_size = 4096};
  }
  /// What this kernel has; tried once.
  static const Features& all_features();

 private:
  void serve(int control_fd, std::promise<void>& started);

  const WorkerOptions options_;
  const Features features_;
  const Loop loop_;
  Echo::Shared shared_;
  const std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
  const Listener listener_{ListenerOptions{.socket_options = SocketOptions::plain}};
  WorkerReport report_;
  Fd control_;
  std::promise<bool> ended_;
  std::future<bool> result_ = ended_.get_future();
  std::thread thread_;
};

}  // namespace lab
