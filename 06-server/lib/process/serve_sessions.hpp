// From a server's command line to sessions: a coroutine for each connection.
#pragma once

#include <memory>
#include <span>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/process/server_command.hpp"
#include "06-server/lib/protocol/session/session.hpp"
#include "06-server/lib/protocol/session/session_counters.hpp"

namespace lab {

/// Serves sessions until a signal ends them, with a frame for each connection that there may be.
/// @tparam Body see Session; what its State needs beyond a default: serve()
/// @param command after its parse()
/// @return the exit code
template <auto Body>
int serve_sessions(ServerCommand& command) {
  const CounterPlace counters = command.add_counters(SessionCounters::infos());
  return serve<Session<Body>>(command, [&command, counters](std::span<Counter> of_worker) {
    const SessionOptions options{.frames_max = command.options().worker.connections_max};
    auto shared = std::make_unique<typename Session<Body>::Shared>(options);
    shared->counters = SessionCounters(counters.of(of_worker));
    return shared;
  });
}

}  // namespace lab
