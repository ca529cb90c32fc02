// The body of a worker process: an engine for one protocol, until it was drained.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <span>
#include <utility>

#include "01-core/lib/features.hpp"
#ifndef LAB_WITHOUT_IO_URING
#include "06-server/lib/engine/worker.hpp"
#endif
#ifdef LAB_HAS_LIBUV
#include "06-server/lib/portable/portable_worker.hpp"
#endif
#include "06-server/lib/process/shared_hooks.hpp"
#include "06-server/lib/process/worker_process.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

namespace detail {

template <Protocol P, class Engine, class Shared>
int run_engine(std::unique_ptr<Engine> worker, const WorkerContext& context,
               std::unique_ptr<Shared> shared) {
  attach_hooks<P>(*worker, *shared);
  worker->start(context.listener_fd, context.control_fd);
  const WorkerReport report = worker->report();
  send(context.control_fd, &report, sizeof report, MSG_NOSIGNAL);
  worker->run();
  // Both are never destroyed: the process leaves by _exit.
  worker.release();
  shared.release();
  return 0;
}

}  // namespace detail

/// @param options which engine it is, too
/// @param shared what the connections have in common; see attach_hooks()
/// @param limit_counters what its limits count; none, where there are no limits
/// @return the exit code
template <Protocol P, class Shared>
int run_worker(const WorkerOptions& options, [[maybe_unused]] const Features& features,
               const WorkerContext& context, std::unique_ptr<Shared> shared,
               std::span<Counter> limit_counters = {}) {
#ifdef LAB_HAS_LIBUV
  if constexpr (!dials_out<P>) {
    if (options.portable) {
      auto worker =
          std::make_unique<PortableWorker<P>>(options, *context.stats, *shared, limit_counters);
      return detail::run_engine<P>(std::move(worker), context, std::move(shared));
    }
  }
#endif
#ifndef LAB_WITHOUT_IO_URING
  auto worker =
      std::make_unique<Worker<P>>(options, features, *context.stats, *shared, limit_counters);
  return detail::run_engine<P>(std::move(worker), context, std::move(shared));
#else
  return 1;  // never: who dials out was refused, and options.portable is true
#endif
}

}  // namespace lab
