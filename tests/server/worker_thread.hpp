// A worker in a thread of the test, with a listener and a control socket of its own: WorkerThread
// is the echo's, ProtocolThread<P> any protocol's. With LAB_TEST_PORTABLE it is one without
// io_uring, with LAB_TEST_REACTORS a reactor behind an acceptor in a second thread.
#pragma once

#include <sys/socket.h>

#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/lib/features.hpp"
#include "02-files/lib/fd.hpp"
#include "03-network/lib/listener.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/protocol/echo.hpp"
#include "tests/server/all_features.hpp"
#include "tests/server/support.hpp"
#ifdef LAB_TEST_PORTABLE
#include "06-server/lib/portable/portable_worker.hpp"
#endif
#ifdef LAB_TEST_REACTORS
#include "tests/server/acceptor_thread.hpp"
#endif

namespace lab {

#ifdef LAB_TEST_PORTABLE
template <class P>
using EngineOfTest = PortableWorker<P>;
#else
template <class P>
using EngineOfTest = Worker<P>;
#endif

/// P: a Protocol.
template <class P>
class ProtocolThread {
 public:
  using TestedWorker = EngineOfTest<P>;

  /// Stands in for run(), in the worker's thread, with what is to be done before and after it.
  using Loop = std::function<bool(TestedWorker&)>;

  /// Starts it and waits until it serves.
  /// @throws what the worker's constructor throws
  explicit ProtocolThread(const WorkerOptions& options = small(),
                          const Features& features = all_features(), Loop loop = &TestedWorker::run)
      : ProtocolThread(options, features, std::move(loop), std::make_unique<typename P::Shared>()) {
  }
  /// @param shared what its connections have in common; what that refers to outlives this
  ProtocolThread(
      const WorkerOptions& options, const Features& features, Loop loop,
      const typename P::Shared& shared) requires std::copy_constructible<typename P::Shared>
      : ProtocolThread(options, features, std::move(loop),
                       std::make_unique<typename P::Shared>(shared)) {}
  ProtocolThread(const WorkerOptions& options, const Features& features, Loop loop,
                 std::unique_ptr<typename P::Shared> shared)
      : options_(options), features_(features), loop_(std::move(loop)), shared_(std::move(shared)) {
    // Connections inherit it: a peer that does not read is noticed after kilobytes, not megabytes.
    const int send_buffer = 64 << 10;
    check_errno(setsockopt(listener_.fd(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer),
                "SO_SNDBUF");
    int pair[2];
    check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    control_ = Fd(pair[0]);
    std::promise<void> started;
    thread_ = std::thread([this, theirs = pair[1], &started] { serve(theirs, started); });
    try {
      started.get_future().get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  /// Drains it, where the test has not: a worker that does not end aborts the test program.
  ~ProtocolThread() {
    if (!thread_.joinable()) return;
    if (control_) drain();
    join();
  }
  ProtocolThread(const ProtocolThread&) = delete;
  ProtocolThread& operator=(const ProtocolThread&) = delete;

  std::uint16_t port() const { return listener_.port(); }
  const WorkerStats& stats() const { return *stats_; }
  std::uint64_t stat(Stat which) const { return stats_->get(which); }
  const WorkerReport& report() const { return report_; }

  /// Tells it to drain, as the supervisor does.
  void drain() { command(command_drain); }
  void stop() { command(command_stop); }
  void command(char command) { ASSERT_EQ(send(control_.get(), &command, 1, MSG_NOSIGNAL), 1); }
  /// The supervisor's end of the control socket goes away.
  void close_control() { control_.reset(); }
  /// What run() returned. After true the worker was destroyed, with all that its destructors
  /// assert.
  bool join() {
    if (result_.wait_for(patience) != std::future_status::ready) {
      std::fprintf(stderr, "the worker did not end: %llu accepted, %llu closed\n",
                   static_cast<unsigned long long>(stat(Stat::accepted)),
                   static_cast<unsigned long long>(stat(Stat::closed)));
      std::abort();  // a thread cannot be ended from outside
    }
    thread_.join();
    return result_.get();
  }
  /// Both.
  bool finish() {
    drain();
    return join();
  }

  /// A worker that starts quickly.
  static WorkerOptions small() {
    return {.connections_max = 256, .buffer_count = 512, .buffer_size = 4096};
  }
  static const Features& all_features() { return lab::all_features(); }

 private:
  void serve(int control_fd, std::promise<void>& started) {
    const Fd control(control_fd);
#ifdef LAB_TEST_REACTORS
    std::optional<AcceptorThread> acceptor;
#endif
    std::unique_ptr<TestedWorker> worker;
    try {
      worker = make_worker();
#ifdef LAB_TEST_REACTORS
      acceptor.emplace(*stats_, options_.limits.any() || options_.peer_addresses);
      ReactorOutlet& outlet = acceptor->outlet();
      worker->start_as_reactor(outlet.handover(), outlet.reactor_control_fd());
      acceptor->start(listener_.fd(), control.get());
#else
      worker->start(listener_.fd(), control.get());
#endif
    } catch (...) {
      started.set_exception(std::current_exception());
      return;
    }
    report_ = worker->report();
    started.set_value();
    const bool clean = loop_(*worker);
    if (clean) {
      worker.reset();
    } else {
      std::fprintf(stderr, "the worker ended with %u connections\n", worker->open_connections());
      // The kernel may still use its memory: it stays, reachable, until the process ends.
      static auto* const kept = new std::vector<std::unique_ptr<TestedWorker>>;
      kept->push_back(std::move(worker));
    }
#ifdef LAB_TEST_REACTORS
    acceptor->reactor_ended();
    acceptor.reset();
#endif
    ended_.set_value(clean);
  }

  std::unique_ptr<TestedWorker> make_worker() {
    if constexpr (std::is_constructible_v<TestedWorker, const WorkerOptions&, WorkerStats&,
                                          typename P::Shared&>) {
      return std::make_unique<TestedWorker>(options_, *stats_, *shared_);
    } else {
      return std::make_unique<TestedWorker>(options_, features_, *stats_, *shared_);
    }
  }

  const WorkerOptions options_;
  const Features features_;
  const Loop loop_;
  const std::unique_ptr<typename P::Shared> shared_;
  const std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
  const Listener listener_{ListenerOptions{.socket_options = SocketOptions::plain}};
  WorkerReport report_;
  Fd control_;
  std::promise<bool> ended_;
  std::future<bool> result_ = ended_.get_future();
  std::thread thread_;
};

/// The echo's.
class WorkerThread : public ProtocolThread<Echo> {
 public:
  using EchoWorker = TestedWorker;
  using ProtocolThread::ProtocolThread;
};

}  // namespace lab
