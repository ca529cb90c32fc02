#include "06-server/lib/process/server_options.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "02-files/lib/fd.hpp"
#include "05-performance/bench/host_port.hpp"
#include "06-server/lib/process/topology_flags.hpp"

namespace lab {

namespace {

// Tried, as the kernel alone knows what it has.
std::string check_congestion(const std::string& name) {
#ifdef TCP_CONGESTION
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
                 static_cast<socklen_t>(name.size())) == 0) {
    return {};
  }
  const std::string error = std::generic_category().message(errno);
  std::string available;
  std::getline(std::ifstream("/proc/sys/net/ipv4/tcp_available_congestion_control"), available);
  return fmt::format("'{}' cannot be had: {} (available: {})", name, error, available);
#else
  return fmt::format("'{}' cannot be had: sockets of this system have no such option", name);
#endif
}

std::string check_address(const std::string& text) {
  in6_addr bytes{};
  if (inet_pton(AF_INET, text.c_str(), &bytes) == 1) return {};
  if (inet_pton(AF_INET6, text.c_str(), &bytes) == 1) return {};
  return fmt::format(
      "'{}' is neither an IPv4 nor an IPv6 address (names are not looked up, and a port has "
      "an option of its own)",
      text);
}

// Port 0 is for listening alone: the kernel picks one.
HostPort split_admin(const std::string& text) {
  if (!text.ends_with(":0")) {
    const HostPort place = split_host_port(text);
    if (place.port) return place;
    throw std::invalid_argument(fmt::format(
        "'{}' has no port. Cure: ADDRESS:PORT, as in 127.0.0.1:9090, or [::1]:9090", text));
  }
  HostPort result = split_host_port(text.substr(0, text.size() - 2));
  result.port = 0;
  return result;
}

std::string check_admin(const std::string& text) {
  try {
    return check_address(split_admin(text).host);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

void add_network_options(CommandLine& line, ListenerOptions& listener) {
  const std::string group = "Network";
  line.add_option("--address", listener.address,
                  "IPv4 or IPv6 address to listen on; 0.0.0.0 and :: take every interface, :: both "
                  "families")
      .check(&check_address)
      .transform(&unbracketed)  // the last one is asked first
      .capture_default_str()
      .group(group);
  line.add_flag("--ipv6-only", listener.v6_only, "With an IPv6 address: no IPv4 clients")
      .group(group);
  line.add_option("-p,--port", listener.port, "Port; 0 picks a free one and prints it")
      .check(in_range(0, 65535))
      .capture_default_str()
      .group(group);
  line.add_option("--backlog", listener.backlog,
                  "Connections that may wait to be accepted, per worker")
      .check(in_range(1, 65535))
      .capture_default_str()
      .group(group);
  line.add_option("--defer-accept-s", listener.defer_accept_s,
                  "Accepts a client with its first bytes, not before (TCP_DEFER_ACCEPT): a wake-up "
                  "and a receive less for each connection. One that says nothing waits in the "
                  "kernel for so many seconds; 0: accepts at once. Not where the server speaks "
                  "first")
      .check(in_range(0U, 3600U))
      .capture_default_str()
      .group(group);
  line.add_choice(
          "--socket-options", listener.socket_options,
          {{"tuned", SocketOptions::tuned}, {"plain", SocketOptions::plain}},
          "tuned: also a fixed receive buffer, TCP_USER_TIMEOUT, and reno on loopback; plain: "
          "TCP_NODELAY and nothing else")
      .default_str("tuned")
      .group(group);
  line.add_option("--user-timeout-ms", listener.user_timeout_ms,
                  "TCP_USER_TIMEOUT: a peer that acknowledges nothing new for so long is gone. So "
                  "is one that "
                  "pauses reading for so long while bytes for it wait; 0: the kernel's")
      .check(in_range(0U, 3'600'000U))
      .capture_default_str()
      .group(group);
  line.add_option(
          "--send-buffer", listener.send_buffer,
          "Bytes that a connection may have unsent in the kernel, which takes twice as much "
          "(SO_SNDBUF); 0: as many as net.ipv4.tcp_wmem allows, 4 MiB as a rule")
      .check(in_range(0U, 1U << 30))
      .capture_default_str()
      .group(group);
  line.add_option("--receive-buffer", listener.receive_buffer,
                  "The same for what is received and not yet read (SO_RCVBUF; tuned only)")
      .check(in_range(4096U, 1U << 30))
      .capture_default_str()
      .group(group);
  line.add_option("--congestion", listener.congestion,
                  "Congestion control, one of net.ipv4.tcp_available_congestion_control")
      .check(&check_congestion)
      .group(group);
}

void add_worker_options(CommandLine& line, WorkerOptions& worker) {
  const std::string group = "Each worker";
  line.add_option(
          "--connections", worker.connections_max,
          "Connections at a time; more wait in the backlog. Lowered to ulimit -n, with a warning")
      .check(in_range(1U, 1'000'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--buffer-count", worker.buffer_count, "Receive buffers; a power of two")
      .check(in_range(8U, 32768U))
      .capture_default_str()
      .group(group);
  line.add_option("--buffer-size", worker.buffer_size, "Bytes of each; a multiple of 8")
      .check(in_range(64U, 65536U))
      .capture_default_str()
      .group(group);
  line.add_option("--buffer-group", worker.buffer_group, "The buffer ring's group id")
      .check(in_range(0, 65535))
      .capture_default_str()
      .group(group);
  line.add_choice("--zero-copy", worker.zero_copy,
                  {{"auto", ZeroCopyMode::automatic},
                   {"always", ZeroCopyMode::always},
                   {"never", ZeroCopyMode::never}},
                  "auto: from the threshold on, while the kernel reports that it really did not "
                  "copy; always: "
                  "every send; never")
      .default_str("auto")
      .group(group);
  line.add_option(
          "--zero-copy-threshold", worker.zero_copy_threshold,
          "Smallest send for zero copy, in bytes; at most the buffer size. Default: 16384 or the "
          "buffer size")
      .check(in_range(0U, 65536U))
      .group(group);
  line.add_option(
          "--idle-timeout-ms", worker.idle_timeout_ms,
          "A connection without progress for so long is closed; 0: never. While bytes wait for "
          "a peer, --user-timeout-ms may end it sooner")
      .check(in_range(0U, 86'400'000U))
      .capture_default_str()
      .group(group);
  line.add_flag("--sqpoll", worker.sqpoll,
                "A kernel thread submits instead: it costs a core, measure before you use it")
      .group(group);
}

void add_process_options(CommandLine& line, ServerOptions& options) {
  SupervisorOptions& supervisor = options.supervisor;
  const std::string group = "Processes";
  line.add_option("-w,--workers", supervisor.workers,
                  "Worker processes, or reactors; default: one per allowed CPU")
      .check(in_range(1U, 1024U))
      .group(group);
  line.add_choice(
          "--steer", supervisor.steering,
          {{"auto", Steering::automatic},
           {"cpu", Steering::cpu},
           {"hash", Steering::hash},
           {"source", Steering::source}},
          "Which worker gets a connection. cpu: the one on the CPU that handles it; hash: the "
          "kernel's choice; source: the same for all connections of a client, so that its limits "
          "are exact with several workers; auto: cpu when each allowed CPU has one worker")
      .default_str("auto")
      .group(group);
  line.add_flag_callback(
          "--no-pin", [&supervisor] { supervisor.pin = false; },
          "Let the scheduler place the workers")
      .group(group);
  line.add_option(
          "--drain-deadline-ms", supervisor.drain_deadline_ms,
          "After the first signal that drains (at the top of this help): time for open connections "
          "to come to rest. Those that are left are reset, and the log says how many")
      .check(in_range(0U, 3'600'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--stats-interval-ms", supervisor.stats_interval_ms,
                  "A line of statistics that often, while there is traffic; 0: only at the end. "
                  "SIGUSR1 asks "
                  "for one now")
      .check(in_range(0U, 86'400'000U))
      .capture_default_str()
      .group(group);
  line.add_option(
          "--stats-json", supervisor.stats_json,
          "The same for programs: a file that gets one JSON object a line, counted from the start; "
          "- is stdout, and 'listening on' goes to the log")
      .group(group);
  line.add_option_function(
          "--admin",
          [&supervisor](const std::string& text) {
            const HostPort place = split_admin(text);
            supervisor.admin.on = true;
            supervisor.admin.listener.address = place.host;
            supervisor.admin.listener.port = *place.port;
          },
          "Shows /metrics (for Prometheus) and /healthz (200; 503 while it drains or nobody "
          "serves) "
          "there. Whoever reaches it may read it, so take a loopback address")
      .type_name("ADDRESS:PORT")
      .check(&check_admin)
      .group(group);
  line.add_flag("--log-time", supervisor.log_time,
                "Every line of the log begins with the time (UTC)")
      .group(group);
  line.add_choice(
          "--backend", options.backend,
          {{"auto", Backend::automatic},
           {"io_uring", Backend::io_uring},
           {"portable", Backend::portable}},
          "What moves the bytes. portable: libuv, which needs nothing of io_uring; auto: "
          "io_uring, and libuv where kernel, seccomp or sysctl forbids it. The log says "
          "which and why. What only the ring can do (dialling, reactors, an access log) does "
          "not start on libuv")
      .default_str("auto")
      .group(group);
  line.add_option(
          "--without", options.without,
          "As if the kernel lacked this feature, by its name in ./lab doctor: to try the fallbacks")
      .allow_extra_args(false)
      .group(group);
}

}  // namespace

void add_server_options(CommandLine& line, ServerOptions& options) {
  add_network_options(line, options.supervisor.listener);
  add_worker_options(line, options.worker);
  add_limit_flags(line, options.worker.limits, options.limit_words);
  add_process_options(line, options);
  add_topology_flags(line, options.supervisor);
}

}  // namespace lab
