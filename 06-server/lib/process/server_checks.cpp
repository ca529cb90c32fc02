#include "06-server/lib/process/server_checks.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/limit_flags.hpp"
#include "06-server/lib/process/passed_sockets.hpp"
#include "06-server/lib/process/topology_flags.hpp"

namespace lab {

namespace {

// What is dialled gets what is accepted gets, but for reno on loopback: that is for those who
// listen there.
DialOptions dial_options(const ListenerOptions& listener) {
  DialOptions dial;
  dial.send_buffer = static_cast<int>(listener.send_buffer);
  dial.congestion = listener.congestion;
  const bool tuned = listener.socket_options == SocketOptions::tuned;
  dial.receive_buffer = tuned ? static_cast<int>(listener.receive_buffer) : 0;
  dial.user_timeout_ms = tuned ? static_cast<int>(listener.user_timeout_ms) : 0;
  if (!tuned) dial.unsent_max = 0;
  return dial;
}

#ifdef LAB_WITHOUT_IO_URING
constexpr bool has_io_uring = false;
#else
constexpr bool has_io_uring = true;
#endif

// Elsewhere one of a port's listeners gets all clients, or SO_REUSEPORT has another name.
#if defined(__linux__) && !defined(LAB_REFUSE_LINUX)
constexpr bool shares_out_clients = true;
#else
constexpr bool shares_out_clients = false;
#endif

void check_workers(const CommandLine& line, SupervisorOptions& supervisor) {
  if (line.count("--workers") == 0) {
    supervisor.workers = shares_out_clients ? static_cast<unsigned>(allowed_cpus().size()) : 1;
  } else if (!shares_out_clients && supervisor.workers > 1) {
    throw std::invalid_argument(
        "--workers: this system does not share out the clients of a port among several listeners. "
        "Cure: --workers 1");
  }
}

void check_steering(SupervisorOptions& supervisor) {
  if (!has_io_uring) {
    if (supervisor.steering == Steering::cpu || supervisor.steering == Steering::source) {
      throw std::invalid_argument(
          "--steer: cpu and source are for Linux, and this program was built without what is "
          "Linux's alone. Cure: --steer hash");
    }
    supervisor.steering = Steering::hash;
  }
  if (supervisor.steering != Steering::cpu) return;
  const std::size_t cpus = allowed_cpus().size();
  if (!supervisor.pin)
    throw std::invalid_argument(
        "--steer: cpu needs pinned workers; leave out --no-pin, or take hash");
  if (supervisor.workers > cpus) {
    throw std::invalid_argument(
        fmt::format("--steer: cpu would leave some of {} workers without clients on {} CPU{}; "
                    "take hash",
                    supervisor.workers, cpus, cpus == 1 ? "" : "s"));
  }
}

// What the process was started with stands in the place of --address and --port.
void take_sockets(const CommandLine& line, ServerOptions& options) {
  SupervisorOptions& supervisor = options.supervisor;
  const PassedSockets passed = take_passed_sockets(supervisor.layout().processes());
  if (passed.fds.empty()) return;
  for (const char* option : {"--address", "--port", "--backlog", "--ipv6-only", "--steer"}) {
    if (line.count(option) == 0) continue;
    throw std::invalid_argument(fmt::format(
        "{}: the server was started with its listening socket (LISTEN_FDS), and whoever opened "
        "that has decided it. Cure: leave the option out, or start it without the socket",
        option));
  }
  supervisor.passed = passed.fds;
  supervisor.listener.address = passed.address;
  supervisor.listener.port = passed.port;
  supervisor.steering = Steering::hash;
  // The kernel wakes one of those that wait at a socket, and a multishot accept stays the first in
  // line: one worker would get all clients. One-shot accepts go to the end, so each worker gets as
  // many at a time as it has of them. They are what who asks for addresses has.
  if (passed.fds.size() < supervisor.workers) options.worker.peer_addresses = true;
}

// Names of features for --without: what ./lab doctor prints.
Feature feature_named(const std::string& name) {
  for (unsigned index = 0; index < static_cast<unsigned>(Feature::count); ++index) {
    const auto feature = static_cast<Feature>(index);
    if (name == Features::info(feature).name) return feature;
  }
  return Feature::count;
}

#ifdef LAB_HAS_LIBUV
constexpr bool has_libuv = true;
#else
constexpr bool has_libuv = false;
#endif

void take_portable(ServerOptions& options, std::string reason) {
  options.worker.portable = options.supervisor.portable = options.supervisor.admin.portable = true;
  options.backend_reason = std::move(reason);
}

// What forbids io_uring; a shortage does not, for it has a cure that costs less speed.
bool forbids(int error) noexcept { return error != ENOMEM && error != EMFILE && error != ENFILE; }

// Why there is no io_uring, from the first feature that is missing.
std::string why_portable(Feature missing, int error) {
  if (missing == Feature::ring) return "io_uring cannot be used: " + explain_setup_error(error);
  const FeatureInfo& info = Features::info(missing);
  return fmt::format("io_uring lacks {} (Linux {}): {}", info.name, info.since,
                     std::generic_category().message(error));
}

}  // namespace

void check_together(const CommandLine& line, ServerOptions& options) {
  WorkerOptions& worker = options.worker;
  if (!std::has_single_bit(worker.buffer_count)) {
    throw std::invalid_argument(
        fmt::format("--buffer-count: {} is not a power of two (8 to 32768)", worker.buffer_count));
  }
  if (worker.buffer_size % 8 != 0) {
    throw std::invalid_argument(
        fmt::format("--buffer-size: {} is not a multiple of 8 (64 to 65536)", worker.buffer_size));
  }
  if (line.count("--zero-copy-threshold") == 0) {
    worker.zero_copy_threshold = std::min(worker.zero_copy_threshold, worker.buffer_size);
  } else if (worker.zero_copy_threshold > worker.buffer_size) {
    throw std::invalid_argument(fmt::format(
        "--zero-copy-threshold: {} is larger than a buffer (0 to {}): no send would reach it",
        worker.zero_copy_threshold, worker.buffer_size));
  }
  check_workers(line, options.supervisor);
  check_topology(line, options.supervisor);
  take_sockets(line, options);
  check_steering(options.supervisor);
  check_limits(line, worker.limits, options.limit_words);
  if (worker.sqpoll && options.backend == Backend::portable) {
    throw std::invalid_argument(
        "--sqpoll: the kernel's thread submits to io_uring, which --backend portable does without. "
        "Cure: leave one of them out");
  }
  const ListenerOptions& listener = options.supervisor.listener;
  if (listener.v6_only && listener.address.find(':') == std::string::npos) {
    throw std::invalid_argument(
        fmt::format("--ipv6-only: {} is an IPv4 address; --address :: takes every interface",
                    listener.address));
  }
  options.supervisor.source_prefix_bits = worker.limits.prefix_bits;
  worker.drain_deadline_ms = options.supervisor.drain_deadline_ms;
  worker.peers_on_loopback = is_loopback(listener.address);
  worker.dial = dial_options(listener);
}

void try_features(ServerOptions& options) {
  if (!has_io_uring && options.backend == Backend::io_uring) {
    throw std::invalid_argument(
        "--backend: this program was built without io_uring (-DLAB_IO_URING=OFF). Cure: leave it "
        "out, or build without that option, on Linux");
  }
  options.features = Features::detect();
  for (const std::string& name : options.without) {
    const Feature feature = feature_named(name);
    if (feature == Feature::count) {
      throw std::invalid_argument(fmt::format(
          "--without: '{}' is no feature; ./lab doctor lists them, one for each --without", name));
    }
    options.features.pretend(feature, EOPNOTSUPP);
  }
  if (!has_io_uring) {
    return take_portable(options, "this program was built without io_uring (-DLAB_IO_URING=OFF)");
  }
  if (options.backend == Backend::portable) {
    if (!has_libuv) {
      throw std::invalid_argument(
          "--backend: this program was built without libuv, so it has no portable one. Cure: "
          "./lab setup installs libuv; build again");
    }
    return take_portable(options, {});
  }
  const Feature missing = options.features.missing();
  if (missing == Feature::count) return let_block(options.supervisor.passed);
  const FeatureInfo& info = Features::info(missing);
  const int error = options.features.error(missing);
  if (options.backend == Backend::automatic && has_libuv && forbids(error)) {
    return take_portable(options, why_portable(missing, error));
  }
  if (missing == Feature::ring || error == ENOMEM || error == EPERM) {
    throw std::runtime_error("cannot start: " + explain_setup_error(error));
  }
  const std::string what = fmt::format("cannot start: {} (Linux {})", info.name, info.since);
  if (error == EMFILE || error == ENFILE) {
    throw std::runtime_error(explain(std::system_error(error, std::generic_category(), what)));
  }
  throw std::runtime_error(fmt::format("{} does not work here: {}. ./lab doctor tells more", what,
                                       std::generic_category().message(error)));
}

void check_memory(const ServerOptions& options, std::uint64_t available) {
  const WorkerOptions& worker = options.worker;
  const std::uint64_t workers = options.supervisor.workers;
  const std::uint64_t each = std::uint64_t{worker.buffer_count} * worker.buffer_size;
  if (workers * each <= available) return;
  throw std::invalid_argument(fmt::format(
      "--workers: {} with {} receive buffers of {} bytes each would take {} MiB, and {} "
      "MiB are left here. Cure: fewer workers (one for each CPU does best), or a "
      "smaller --buffer-count",
      workers, worker.buffer_count, worker.buffer_size, (workers * each) >> 20U, available >> 20U));
}

std::string fit_to_limits(WorkerOptions& worker) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= worker.connections_max) return {};
  const unsigned wanted =
      std::exchange(worker.connections_max, static_cast<unsigned>(limit.rlim_max));
  // How many are left for connections where each of them is a descriptor, the worker says.
  if (worker.portable) {
    return fmt::format("not {} connections a worker: ulimit -Hn is {}, and each takes a descriptor",
                       wanted, limit.rlim_max);
  }
  return fmt::format("{} connections a worker instead of {}: ulimit -Hn allows no more",
                     limit.rlim_max, wanted);
}

}  // namespace lab
