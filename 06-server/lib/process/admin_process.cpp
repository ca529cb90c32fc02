#include "06-server/lib/process/admin_process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "05-performance/bench/host_port.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/run_worker.hpp"
#include "06-server/lib/protocol/metrics/metrics_source.hpp"

namespace lab {

namespace {

constexpr unsigned drain_deadline_ms = 500;
constexpr std::uint64_t end_max_ns = 1'000'000'000;

// For a few who ask every few seconds: it takes little memory, which nobody missed before.
constexpr WorkerOptions small(bool portable) {
  return {.connections_max = 64,
          .accepts_max = 64,
          .buffer_count = 64,
          .buffer_size = 4096,
          .pooled_count = 64,
          .pooled_size = 4096,
          .zero_copy = ZeroCopyMode::never,
          .idle_timeout_ms = 60'000,
          .drain_deadline_ms = drain_deadline_ms,
          .portable = portable};
}

struct HasSource {
  MetricsSource source;
};

class MetricsShared : HasSource, public Metrics::Shared {
 public:
  MetricsShared(const AdminProcess::Shown& shown, HttpCounters counters)
      : HasSource{.source{shown.stats, shown.infos, shown.workers}},
        Metrics::Shared({.head_stores = 8}, HasSource::source, counters) {}
};

Listener open_listener(const ListenerOptions& options) {
  try {
    return Listener(options);
  } catch (const std::system_error& error) {
    if (error.code().value() == EADDRINUSE) {
      throw std::runtime_error(
          fmt::format("--admin: port {} on {} is in use, by this server's own --port or by another "
                      "program. Cure: another port",
                      options.port, options.address));
    }
    throw std::runtime_error("--admin: " + explain_listener(options, error));
  }
}

}  // namespace

AdminProcess::AdminProcess(Ring& ring, ServerLog& log, const AdminOptions& options,
                           const Shown& shown)
    : ring_(ring),
      log_(log),
      options_(options),
      shown_(shown),
      listener_(open_listener(options.listener)),
      own_(1, HttpCounters::size) {}

int AdminProcess::serve(const void* self, const WorkerContext& context) {
  const auto& admin = *static_cast<const AdminProcess*>(self);
  return run_worker<Metrics>(
      small(admin.options_.portable), *admin.options_.features, context,
      std::make_unique<MetricsShared>(admin.shown_, HttpCounters(context.counters)));
}

void AdminProcess::start(const ServerSignals& signals) {
  child_.start({.function = &AdminProcess::serve, .argument = this},
               {.index = 0,
                .cpu = -1,
                .listener_fd = listener_.fd(),
                .stats = &own_[0],
                .counters = own_.own(0)},
               signals, drain_deadline_ms / 1000 + 2);
}

void AdminProcess::tick(const ServerSignals& signals, std::uint64_t tick_ms) {
  child_.give_up_ring();
  if (finishing_) return;
  if (const std::uint64_t silent = child_.silent_ms(own_[0], tick_ms)) {
    log_("the admin process ({}) gave no sign of life for {} ms: killed", child_.pid(), silent);
    child_.end();
  }
  if (!child_.may_start()) return;
  try {
    start(signals);
  } catch (const std::exception& error) {
    log_("the admin process: {}; tried again in {} s", explain(error),
         RestartPolicy::retry_ms / 1000);
    child_.plan_restart_in(RestartPolicy::retry_ms);
  }
}

void AdminProcess::finish() {
  finishing_ = true;
  child_.drain();
  const std::uint64_t begin_ns = ring_.now_ns();
  while (!child_.ended()) {
    ring_.run_once();
    if (ring_.now_ns() - begin_ns > end_max_ns) child_.end();
  }
}

void AdminProcess::on_worker_ready(Child&) {
  if (std::exchange(told_, true)) return;
  log_("metrics and health on http://{}",
       host_port_text(options_.listener.address, listener_.port()));
}

void AdminProcess::on_worker_refused(Child& child) {
  log_("the admin process could not start: {}", child.report().error);
}

void AdminProcess::on_worker_ended(Child& child) {
  if (finishing_) return;
  const RestartPolicy::Decision next = child.plan_restart();
  log_("the admin process ({}) {}; the next one starts in {} ms", child.pid(),
       describe_end(child.end_status()), next.pause_ms);
}

}  // namespace lab
