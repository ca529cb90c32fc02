// An acceptor in a thread of its own, for one worker of the test: with LAB_TEST_REACTORS a
// ProtocolThread is a reactor, and its clients come through this.
#pragma once

#include <array>
#include <atomic>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/reactor_acceptor.hpp"

namespace lab {

/// It outlives its reactor. Rule: reactor_ended() comes before its end, where it was started.
class AcceptorThread {
 public:
  /// @param addresses the reactor asks where its clients come from
  /// @throws what the acceptor's constructor throws
  AcceptorThread(const WorkerStats& reactor, bool addresses) {
    std::promise<ReactorOutlet*> made;
    thread_ = std::thread([this, &reactor, addresses, &made] { run(reactor, addresses, made); });
    try {
      outlet_ = made.get_future().get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  ~AcceptorThread() {
    if (!started_) start_.set_value({});
    thread_.join();
  }
  AcceptorThread(const AcceptorThread&) = delete;
  AcceptorThread& operator=(const AcceptorThread&) = delete;

  /// What the reactor's start is given.
  ReactorOutlet& outlet() noexcept { return *outlet_; }
  /// REQUIRES: the reactor has started.
  void start(int listener_fd, int control_fd) {
    started_ = true;
    start_.set_value(Descriptors{listener_fd, control_fd});
  }
  /// The reactor's loop has ended. Then this one ends, too.
  void reactor_ended() noexcept {
    outlet_->handover().ended.store(true, std::memory_order_release);
  }

 private:
  struct Descriptors {
    int listener;
    int control;
  };

  void run(const WorkerStats& reactor, bool addresses, std::promise<ReactorOutlet*>& made) {
    const std::array blocks{&reactor};
    std::unique_ptr<ReactorAcceptor> acceptor;
    try {
      acceptor = std::make_unique<ReactorAcceptor>(ReactorAcceptor::Options{.addresses = addresses},
                                                   stats_, blocks);
    } catch (...) {
      return made.set_exception(std::current_exception());
    }
    made.set_value(&acceptor->outlet(0));
    const std::optional<Descriptors> given = start_.get_future().get();
    if (!given) return;
    acceptor->start(given->listener, given->control);
    if (acceptor->run()) return;
    // The kernel may still use its memory: it stays, reachable, until the process ends.
    static auto* const kept = new std::vector<std::unique_ptr<ReactorAcceptor>>;
    kept->push_back(std::move(acceptor));
  }

  WorkerStats stats_;
  std::promise<std::optional<Descriptors>> start_;
  bool started_ = false;
  ReactorOutlet* outlet_ = nullptr;
  std::thread thread_;
};

}  // namespace lab
