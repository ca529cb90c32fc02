#include "05-performance/ringload/meter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace lab {

namespace {

// The second number of /proc/thread-self/schedstat: nanoseconds on a run queue, waiting for a
// processor (Documentation/scheduler/sched-stats.rst). 0 where the kernel does not count it.
std::uint64_t thread_waited_ns() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::uint64_t ran = 0;
  std::uint64_t waited = 0;
  file >> ran >> waited;
  return waited;
}

double seconds_between(std::uint64_t from, std::uint64_t to) {
  return to > from ? static_cast<double>(to - from) * 1e-9 : 0.0;
}

int percent(double share) { return static_cast<int>(share * 100 + 0.5); }

// What a core had no room for: used, or taken away by the hypervisor.
double taken_share(const ProcessorUse& use) { return use.busy_share() + use.steal_share(); }

// "its core 61 % busy", and how much of it went to others, where that changes the picture.
std::string own_text(const Usage& usage) {
  constexpr double worth_telling = 0.05;
  const double waited = usage.seconds > 0 ? usage.own_wait_s / usage.seconds : 0;
  std::string text = fmt::format("its {} {} % busy", usage.own_core ? "core" : "thread",
                                 percent(usage.own_busy_share()));
  if (!usage.spin && waited >= worth_telling) {
    text +=
        fmt::format(", with {} % of waiting for its turn, as others ran there", percent(waited));
  }
  return text;
}

std::string server_text(const Usage& usage) {
  const double share = usage.server_busy_share().value_or(0);
  return fmt::format("its {} {} % busy", usage.server_core ? "core" : "processes", percent(share));
}

}  // namespace

double Usage::own_busy_share() const noexcept {
  if (spin) return 1 - idle_share;
  const double wanted = seconds > 0 ? (own_cpu_s + own_wait_s) / seconds : 0;
  // The core's time comes in steps of 10 ms, so a short interval is left to the thread's clock.
  constexpr double core_time_counts_s = 0.2;
  const bool core = own_core && seconds >= core_time_counts_s;
  return std::min(1.0, core ? std::max(taken_share(*own_core), wanted) : wanted);
}

std::optional<double> Usage::server_busy_share() const noexcept {
  if (server_core) return std::min(1.0, taken_share(*server_core));
  if (server_process_s && seconds > 0) return *server_process_s / seconds;
  return std::nullopt;
}

Meter::Meter(const LoadOptions& options) : options_(options) {
  if (options.server_pid) server_process_.emplace(*options.server_pid);
}

Meter::Reading Meter::read(std::uint64_t idle_ns) {
  Reading reading{.at_ns = monotonic_ns(),
                  .idle_ns = idle_ns,
                  .thread_ns = thread_cpu_ns(),
                  .waited_ns = thread_waited_ns(),
                  .process_ns = server_process_ ? server_process_->read_ns() : 0,
                  .own_core = {},
                  .server_core = {}};
  if (options_.server_cpu) reading.server_core = ProcessorTime::read(*options_.server_cpu);
  if (options_.cpu) reading.own_core = ProcessorTime::read(*options_.cpu);
  return reading;
}

Usage Meter::between(const Reading& begin, const Reading& end) const {
  Usage usage;
  usage.seconds = seconds_between(begin.at_ns, end.at_ns);
  usage.own_cpu_s = seconds_between(begin.thread_ns, end.thread_ns);
  usage.own_wait_s = seconds_between(begin.waited_ns, end.waited_ns);
  usage.spin = options_.spin;
  usage.idle_share = seconds_between(begin.idle_ns, end.idle_ns) / std::max(usage.seconds, 1e-9);
  if (options_.cpu) usage.own_core = *end.own_core - *begin.own_core;
  if (options_.server_cpu) usage.server_core = *end.server_core - *begin.server_core;
  if (options_.server_pid) {
    usage.server_process_s = seconds_between(begin.process_ns, end.process_ns);
  }
  return usage;
}

Limit limit_of(const Usage& usage) noexcept {
  const std::optional<double> server = usage.server_busy_share();
  if (server && *server >= core_full_share) return Limit::server;
  const double own = usage.own_busy_share();
  if (own >= core_full_share) return Limit::generator;
  if (own >= core_room_share) return Limit::unknown;
  return server ? Limit::neither : Limit::none_seen;
}

const char* limit_name(Limit limit) noexcept {
  switch (limit) {
    case Limit::generator:
      return "generator";
    case Limit::server:
      return "server";
    case Limit::neither:
      return "neither";
    case Limit::none_seen:
      return "not the generator";
    case Limit::unknown:
      break;
  }
  return "unknown";
}

std::string verdict(const Usage& usage) {
  const std::string own = own_text(usage);
  const std::string server = server_text(usage);
  switch (limit_of(usage)) {
    case Limit::generator:
      if (!usage.server_busy_share()) {
        return fmt::format(
            "LIMIT: the generator ({}): the figures are its own. Whether the server was full, too: "
            "--server-cpu or --server-pid",
            own);
      }
      return fmt::format("LIMIT: the generator ({}), not the server ({}): the figures are its own",
                         own, server);
    case Limit::server:
      if (usage.own_busy_share() >= core_full_share) {
        return fmt::format("server: the limit ({}); generator: full as well ({})", server, own);
      }
      return fmt::format("server: the limit ({}); generator: not the limit ({})", server, own);
    case Limit::neither:
      return fmt::format(
          "generator: not the limit ({}); server: neither ({}): the load asks for no more", own,
          server);
    case Limit::none_seen:
      return fmt::format("generator: not the limit ({})", own);
    case Limit::unknown:
      break;
  }
  return fmt::format("unknown: the generator was nearly full ({}). Pass {}", own,
                     usage.server_core || usage.server_process_s
                         ? "--cpu with a processor of its own"
                         : "--cpu and --server-cpu or --server-pid");
}

}  // namespace lab
