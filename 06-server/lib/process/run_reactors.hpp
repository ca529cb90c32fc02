// The body of the one worker process of --topology reactors: a thread for each reactor, and this
// one accepts.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <span>
#include <vector>

#include "05-performance/lib/core_thread.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/reactor_acceptor.hpp"
#include "06-server/lib/process/reactor_thread.hpp"
#include "06-server/lib/process/server_options.hpp"
#include "06-server/lib/process/worker_process.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Serves until it was drained.
/// @param make_shared called with the reactor's counters, for one reactor after the other and each
/// time in its thread: what the connections of that reactor have in common
/// @return the exit code
template <Protocol P, class MakeShared>
int run_reactors(const ServerOptions& options, const WorkerContext& context,
                 const MakeShared& make_shared) {
  const SharedStats& blocks = *context.blocks;
  const unsigned count = options.supervisor.workers;
  const WorkerOptions& worker = options.worker;
  std::vector<const WorkerStats*> counted;
  for (unsigned number = 0; number < count; ++number) counted.push_back(&blocks[number]);
  auto acceptor = std::make_unique<ReactorAcceptor>(
      ReactorAcceptor::Options{.balance = options.supervisor.balance,
                               .addresses = worker.limits.any() || worker.peer_addresses},
      *context.stats, counted);
  const std::vector<int> cpus = allowed_cpus();
  std::vector<std::unique_ptr<ReactorThread>> reactors;
  // None of this is ever destroyed: the process leaves by _exit, also with reactors that run.
  const auto leave_all = [&]() noexcept {
    acceptor.release();
    for (auto& reactor : reactors) reactor.release();
  };
  try {
    for (unsigned number = 0; number < count; ++number) {
      const std::span<Counter> own = blocks.own(number);
      const ReactorSetup setup{.number = number,
                               .cpu = options.supervisor.pin ? cpus[number % cpus.size()] : -1,
                               .options = worker,
                               .features = options.features,
                               .stats = blocks[number],
                               .limit_counters = options.limit_counters.of(own),
                               .outlet = acceptor->outlet(number)};
      reactors.push_back(std::make_unique<ReactorThread>());
      reactors.back()->template start<P>(setup, ReactorThread::AtEnd::leave,
                                         [&] { return make_shared(own); });
    }
    acceptor->start(context.listener_fd, context.control_fd);
  } catch (...) {
    leave_all();
    throw;
  }
  const WorkerReport report = reactors.front()->report();
  send(context.control_fd, &report, sizeof report, MSG_NOSIGNAL);
  acceptor->run();
  for (auto& reactor : reactors) reactor->join();
  leave_all();
  return 0;
}

}  // namespace lab
