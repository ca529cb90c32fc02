// An acceptor and its reactors in threads of the test, with a listener and a control socket of
// their own.
#pragma once

#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "03-network/lib/listener.hpp"
#include "06-server/lib/engine/control.hpp"
#include "06-server/lib/engine/reactor_acceptor.hpp"
#include "06-server/lib/process/reactor_thread.hpp"
#include "06-server/lib/protocol/echo.hpp"
#include "tests/server/gate.hpp"
#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {

/// P: a Protocol whose Shared needs nothing.
template <class P = Echo>
class ReactorGroup {
 public:
  /// @param gate before the first of them, if any; it outlives this
  explicit ReactorGroup(unsigned reactors,
                        ConnectionBalance balance = ConnectionBalance::round_robin,
                        const WorkerOptions& options = WorkerThread::small(), Gate* gate = nullptr)
      : options_(options), gate_(gate) {
    for (unsigned number = 0; number <= reactors; ++number)
      stats_.push_back(std::make_unique<WorkerStats>());
    int pair[2];
    check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    control_ = Fd(pair[0]);
    std::promise<void> started;
    thread_ = std::thread([this, reactors, balance, theirs = pair[1], &started] {
      serve(reactors, balance, Fd(theirs), started);
    });
    started.get_future().get();
  }
  ~ReactorGroup() {
    if (thread_.joinable()) finish();
  }
  ReactorGroup(const ReactorGroup&) = delete;
  ReactorGroup& operator=(const ReactorGroup&) = delete;

  std::uint16_t port() const { return listener_.port(); }
  std::uint64_t stat(unsigned reactor, Stat which) const { return stats_[reactor]->get(which); }
  std::uint64_t heartbeat(unsigned reactor) const { return stats_[reactor]->heartbeat.get(); }
  /// Of the acceptor.
  std::uint64_t acceptor_heartbeat() const { return stats_.back()->heartbeat.get(); }
  std::uint64_t acceptor_stat(Stat which) const { return stats_.back()->get(which); }
  std::uint64_t total(Stat which) const {
    std::uint64_t sum = 0;
    for (const auto& each : stats_) sum += each->get(which);
    return sum;
  }

  void command(char command) { ASSERT_EQ(send(control_.get(), &command, 1, MSG_NOSIGNAL), 1); }
  void drain() { command(command_drain); }
  /// @return whether nothing was due at the end, of the acceptor and of each reactor. Then all of
  /// it was destroyed, with what the destructors assert
  bool join() {
    if (result_.wait_for(patience) != std::future_status::ready) {
      std::fprintf(stderr, "the reactors did not end\n");
      std::abort();  // a thread cannot be ended from outside
    }
    thread_.join();
    return result_.get();
  }
  bool finish() {
    drain();
    return join();
  }

 private:
  void serve(unsigned reactors, ConnectionBalance balance, Fd control,
             std::promise<void>& started) {
    std::vector<const WorkerStats*> blocks;
    for (unsigned number = 0; number < reactors; ++number) blocks.push_back(stats_[number].get());
    const ReactorAcceptor::Options how{
        .balance = balance, .addresses = options_.limits.any() || options_.peer_addresses};
    auto acceptor = std::make_unique<ReactorAcceptor>(how, *stats_.back(), blocks);
    std::vector<std::unique_ptr<ReactorThread>> threads;
    for (unsigned number = 0; number < reactors; ++number) {
      threads.push_back(std::make_unique<ReactorThread>());
      threads.back()->start<P>({.number = number,
                                .options = options_,
                                .features = all_features(),
                                .stats = *stats_[number],
                                .outlet = acceptor->outlet(number)},
                               ReactorThread::AtEnd::destroy,
                               [] { return std::make_unique<typename P::Shared>(); });
    }
    if (gate_ != nullptr) gate_->stand_before(acceptor->outlet(0).handover());
    acceptor->start(listener_.fd(), control.get());
    started.set_value();
    bool clean = acceptor->run();
    for (auto& thread : threads) clean &= thread->join();
    if (!clean) {
      // The kernel may still use its memory: it stays, reachable, until the process ends.
      static auto* const kept = new std::vector<std::unique_ptr<ReactorAcceptor>>;
      static auto* const kept_threads = new std::vector<std::unique_ptr<ReactorThread>>;
      kept->push_back(std::move(acceptor));
      for (auto& thread : threads) kept_threads->push_back(std::move(thread));
    }
    acceptor.reset();
    ended_.set_value(clean);
  }

  const WorkerOptions options_;
  Gate* const gate_;
  std::vector<std::unique_ptr<WorkerStats>> stats_;  ///< by reactor, then the acceptor's
  const Listener listener_{ListenerOptions{.socket_options = SocketOptions::plain}};
  Fd control_;
  std::promise<bool> ended_;
  std::future<bool> result_ = ended_.get_future();
  std::thread thread_;
};

/// 2,000 clients from four threads, each with an address of its own: a ping, and what ends it.
/// @param end called with a client and its number among its thread's
void come_and_go(const auto& group, const auto& end) {
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&group, &end, thread] {
      for (unsigned number = 0; number < 500; ++number) {
        StreamOptions options;
        options.source = static_cast<std::uint8_t>(thread + 2);
        Stream client = connect_to(group.port(), options);
        ping(client);
        end(client, number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace lab
