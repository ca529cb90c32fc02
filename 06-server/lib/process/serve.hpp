// From a server's command line to its workers: where a protocol meets the engine.
#pragma once

#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#ifndef LAB_WITHOUT_IO_URING
#include "06-server/lib/process/run_reactors.hpp"
#endif
#include "06-server/lib/process/run_worker.hpp"
#include "06-server/lib/process/server_command.hpp"
#include "06-server/lib/process/worker_process.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

namespace detail {

template <class MakeShared>
auto call_with_counters(const MakeShared& make_shared, std::span<Counter> counters) {
  if constexpr (std::is_invocable_v<const MakeShared&, std::span<Counter>>) {
    return make_shared(counters);
  } else {
    return make_shared();
  }
}

}  // namespace detail

/// Serves a protocol: worker processes or reactors, each with a ring, until a signal ends them.
/// @param command after its parse()
/// @param make_shared called in each worker process before its loop, or for each reactor in its
/// thread, one after the other: what all connections of the worker have in common, as a
/// std::unique_ptr. What it captures was made before the fork, so all
/// workers have one copy. It may take a std::span<Counter>: the worker's counters, see
/// ServerCommand::add_counters(). An exception of it ends the server, in its words. What it
/// makes may derive from P::Shared; if it has on_parcel(Reload::Kind, Fd) noexcept, it gets what a
/// Reload passes on.
/// @return the exit code
template <Protocol P, class MakeShared>
int serve(ServerCommand& command, const MakeShared& make_shared) {
  if constexpr (dials_out<P>) command.require_io_uring("dial out");
  if (command.options().supervisor.topology == Topology::reactors) {
    command.require_io_uring("have reactors");
  }
  const auto worker_main = [](const void* argument, const WorkerContext& context) -> int {
    const auto& given = *static_cast<const ServerCommand::WorkerArgument*>(argument);
    const ServerOptions& options = given.options;
    const auto make = [&given](std::span<Counter> counters) {
      return detail::call_with_counters(*static_cast<const MakeShared*>(given.own), counters);
    };
#ifndef LAB_WITHOUT_IO_URING
    if (options.supervisor.topology == Topology::reactors) {
      return run_reactors<P>(options, context, make);
    }
#endif
    return run_worker<P>(options.worker, options.features, context, make(context.counters),
                         options.limit_counters.of(context.counters));
  };
  return command.run(worker_main, &make_shared);
}

/// The same where what they have in common needs no argument.
template <Protocol P>
int serve(ServerCommand& command) {
  return serve<P>(command, [] { return std::make_unique<typename P::Shared>(); });
}

}  // namespace lab
