// The capstone: a TCP echo server with one worker process per core, each with its own ring, that
// sends back the very buffers it received.

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "01-core/lib/features.hpp"
#include "01-core/standard_fds.hpp"
#include "05-performance/bench/decimal.hpp"
#include "05-performance/bench/host_port.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/supervisor.hpp"
#include "06-server/lib/protocol/echo.hpp"

namespace {

static_assert(sizeof(lab::Connection<lab::Echo>) == 256);

struct Options {
  lab::SupervisorOptions supervisor{.name = "echo-server"};
  lab::WorkerOptions worker;
  lab::Features features;
};

int worker_main(const void* argument, const lab::WorkerContext& context) {
  const auto& options = *static_cast<const Options*>(argument);
  // On the heap, and never destroyed: the process leaves by _exit.
  lab::Echo::Shared shared;
  auto worker = std::make_unique<lab::Worker<lab::Echo>>(options.worker, options.features,
                                                         *context.stats, shared);
  worker->start(context.listener_fd, context.control_fd);
  const lab::WorkerReport report = worker->report();
  send(context.control_fd, &report, sizeof report, MSG_NOSIGNAL);
  worker->run();
  worker.release();
  return 0;
}

std::string zero_copy_text(const Options& options, const lab::WorkerReport& report) {
  const std::string fixed =
      report.fixed_buffers ? "registered buffers"
      : report.fixed_buffers_error == 0
          ? "buffers not registered (huge pages)"
          : fmt::format("buffers not registered: {} (see ulimit -l)",
                        std::generic_category().message(report.fixed_buffers_error));
  switch (options.worker.zero_copy) {
    case lab::ZeroCopyMode::never:
      return "zero copy never";
    case lab::ZeroCopyMode::always:
      return "zero copy always, " + fixed;
    case lab::ZeroCopyMode::automatic:
      break;
  }
  if (options.worker.peers_on_loopback) return "zero copy auto (off: loopback always copies)";
  if (!report.zero_copy_reports) return "zero copy auto (off: no usage report, Linux 6.2)";
  return fmt::format("zero copy auto from {} bytes, {}", options.worker.zero_copy_threshold, fixed);
}

std::string describe(const void* argument, const lab::WorkerReport& report) {
  const auto& options = *static_cast<const Options*>(argument);
  const bool plain = options.supervisor.listener.socket_options == lab::SocketOptions::plain;
  return fmt::format(
      "Linux {}: {}{}{}{}, {} connections a worker, {} buffers of {} bytes in {}, {}, {} "
      "sockets{}{}{}",
      lab::kernel_release(),
      (report.setup_flags & IORING_SETUP_SQPOLL) != 0 ? "SQPOLL" : "DEFER_TASKRUN",
      (report.setup_flags & IORING_SETUP_NO_SQARRAY) != 0 ? ", NO_SQARRAY" : "",
      report.registered_ring_fd ? ", registered ring fd" : "",
      report.multishot_timer ? ", multishot tick" : "", report.connections_max,
      options.worker.buffer_count, options.worker.buffer_size, report.pages,
      zero_copy_text(options, report), plain ? "plain" : "tuned",
      report.multishot_is_fair ? "" : ", one-shot receives while a send is due",
      report.can_reset ? "" : ", no reset of slots",
      report.slot_releases ? "" : ", shutdown before close");
}

// Names of features for --without: what ./lab doctor prints.
lab::Feature feature_named(const std::string& name) {
  for (unsigned index = 0; index < static_cast<unsigned>(lab::Feature::count); ++index) {
    const auto feature = static_cast<lab::Feature>(index);
    if (name == lab::Features::info(feature).name) return feature;
  }
  return lab::Feature::count;
}

// The words of a choice. CLI11's own message about a wrong one shows the values' bytes.
template <class Enum>
CLI::Validator one_of(const std::map<std::string, Enum>& words) {
  std::string names;
  for (const auto& [word, value] : words) names += (names.empty() ? "" : ",") + word;
  return {[words, names](std::string& word) -> std::string {
            const auto found = words.find(word);
            if (found == words.end()) return fmt::format("'{}' is none of {}", word, names);
            word = std::to_string(static_cast<unsigned>(found->second));
            return {};
          },
          "{" + names + "}"};
}

// Tried, as the kernel alone knows what it has.
std::string check_congestion(const std::string& name) {
  const lab::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
                 static_cast<socklen_t>(name.size())) == 0) {
    return {};
  }
  const std::string error = std::generic_category().message(errno);
  std::string available;
  std::getline(std::ifstream("/proc/sys/net/ipv4/tcp_available_congestion_control"), available);
  return fmt::format("'{}' cannot be had: {} (available: {})", name, error, available);
}

std::string check_address(const std::string& text) {
  in6_addr bytes{};
  if (inet_pton(AF_INET, text.c_str(), &bytes) == 1) return {};
  if (inet_pton(AF_INET6, text.c_str(), &bytes) == 1) return {};
  return fmt::format("'{}' is neither an IPv4 nor an IPv6 address (names are not looked up)", text);
}

void add_network_options(CLI::App& app, lab::ListenerOptions& listener) {
  const std::string group = "Network";
  app.add_option(
         "--address", listener.address,
         "IPv4 or IPv6 address to listen on; 0.0.0.0 and :: take every interface, :: both families")
      ->check(&check_address)
      ->transform(&lab::unbracketed)  // the last one is asked first
      ->capture_default_str()
      ->group(group);
  app.add_flag("--ipv6-only", listener.v6_only, "With an IPv6 address: no IPv4 clients")
      ->group(group);
  app.add_option("-p,--port", listener.port, "Port; 0 picks a free one and prints it")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str()
      ->group(group);
  app.add_option("--backlog", listener.backlog,
                 "Connections that may wait to be accepted, per worker")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--socket-options", listener.socket_options,
         "tuned: also a fixed receive buffer, TCP_USER_TIMEOUT, and reno on loopback; plain: "
         "TCP_NODELAY and nothing else")
      ->transform(one_of<lab::SocketOptions>(
          {{"tuned", lab::SocketOptions::tuned}, {"plain", lab::SocketOptions::plain}}))
      ->default_str("tuned")
      ->group(group);
  app.add_option("--user-timeout-ms", listener.user_timeout_ms,
                 "TCP_USER_TIMEOUT: a peer that acknowledges nothing new for so long is gone. So "
                 "is one that "
                 "pauses reading for so long while bytes for it wait; 0: the kernel's")
      ->check(CLI::Range(0U, 3'600'000U))
      ->capture_default_str()
      ->group(group);
  app.add_option("--send-buffer", listener.send_buffer,
                 "Bytes that a connection may have unsent in the kernel, which takes twice as much "
                 "(SO_SNDBUF); 0: as many as net.ipv4.tcp_wmem allows, 4 MiB as a rule")
      ->check(CLI::Range(0U, 1U << 30))
      ->capture_default_str()
      ->group(group);
  app.add_option("--receive-buffer", listener.receive_buffer,
                 "The same for what is received and not yet read (SO_RCVBUF; tuned only)")
      ->check(CLI::Range(4096U, 1U << 30))
      ->capture_default_str()
      ->group(group);
  app.add_option("--congestion", listener.congestion,
                 "Congestion control, one of net.ipv4.tcp_available_congestion_control")
      ->check(&check_congestion)
      ->group(group);
}

void add_worker_options(CLI::App& app, lab::WorkerOptions& worker) {
  const std::string group = "Each worker";
  app.add_option(
         "--connections", worker.connections_max,
         "Connections at a time; more wait in the backlog. Lowered to ulimit -n, with a warning")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str()
      ->group(group);
  app.add_option("--buffer-count", worker.buffer_count, "Receive buffers; a power of two")
      ->check(CLI::Range(8U, 32768U))
      ->capture_default_str()
      ->group(group);
  app.add_option("--buffer-size", worker.buffer_size, "Bytes of each; a multiple of 8")
      ->check(CLI::Range(64U, 65536U))
      ->capture_default_str()
      ->group(group);
  app.add_option("--buffer-group", worker.buffer_group, "The buffer ring's group id")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str()
      ->group(group);
  app.add_option("--zero-copy", worker.zero_copy,
                 "auto: from the threshold on, while the kernel reports that it really did not "
                 "copy; always: "
                 "every send; never")
      ->transform(one_of<lab::ZeroCopyMode>({{"auto", lab::ZeroCopyMode::automatic},
                                             {"always", lab::ZeroCopyMode::always},
                                             {"never", lab::ZeroCopyMode::never}}))
      ->default_str("auto")
      ->group(group);
  app.add_option(
         "--zero-copy-threshold", worker.zero_copy_threshold,
         "Smallest send for zero copy, in bytes; at most the buffer size. Default: 16384 or the "
         "buffer size")
      ->check(CLI::Range(0U, 65536U))
      ->group(group);
  app.add_option(
         "--idle-timeout-ms", worker.idle_timeout_ms,
         "A connection without progress for so long is closed; 0: never. While bytes wait for "
         "a peer, --user-timeout-ms may end it sooner")
      ->check(CLI::Range(0U, 86'400'000U))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--sqpoll", worker.sqpoll,
               "A kernel thread submits instead: it costs a core, measure before you use it")
      ->group(group);
}

void add_process_options(CLI::App& app, Options& options, std::vector<std::string>& without) {
  lab::SupervisorOptions& supervisor = options.supervisor;
  const std::string group = "Processes";
  app.add_option("-w,--workers", supervisor.workers,
                 "Worker processes; default: one per allowed CPU")
      ->check(CLI::Range(1U, 1024U))
      ->group(group);
  app.add_option(
         "--steer", supervisor.steering,
         "Which worker gets a connection. cpu: the one on the CPU that handles it; hash: the "
         "kernel's choice; auto: cpu when each allowed CPU has one worker")
      ->transform(one_of<lab::Steering>({{"auto", lab::Steering::automatic},
                                         {"cpu", lab::Steering::cpu},
                                         {"hash", lab::Steering::hash}}))
      ->default_str("auto")
      ->group(group);
  app.add_flag_callback(
         "--no-pin", [&] { supervisor.pin = false; }, "Let the scheduler place the workers")
      ->group(group);
  app.add_option(
         "--drain-deadline-ms", supervisor.drain_deadline_ms,
         "After the first SIGTERM, SIGINT, SIGHUP or SIGQUIT: time for open connections to come "
         "to rest. Those that are left are reset, and the log says how many")
      ->check(CLI::Range(0U, 3'600'000U))
      ->capture_default_str()
      ->group(group);
  app.add_option("--stats-interval-ms", supervisor.stats_interval_ms,
                 "A line of statistics that often, while there is traffic; 0: only at the end. "
                 "SIGUSR1 asks "
                 "for one now")
      ->check(CLI::Range(0U, 86'400'000U))
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--stats-json", supervisor.stats_json,
         "The same for programs: a file that gets one JSON object a line, counted from the start; "
         "- is stdout, and 'listening on' goes to the log")
      ->group(group);
  app.add_flag("--log-time", supervisor.log_time,
               "Every line of the log begins with the time (UTC)")
      ->group(group);
  app.add_option(
         "--without", without,
         "As if the kernel lacked this feature, by its name in ./lab doctor: to try the fallbacks")
      ->allow_extra_args(false)
      ->group(group);
}

enum Exit : int { exit_failed = 1, exit_wrong_use = 2 };

[[noreturn]] void fail(const std::string& message, Exit code = exit_failed) {
  lab::complain("echo-server: {}", message);
  std::exit(code);
}

[[noreturn]] void refuse(const std::string& message) { fail(message, exit_wrong_use); }

void check_steering(const lab::SupervisorOptions& supervisor) {
  if (supervisor.steering != lab::Steering::cpu) return;
  const std::size_t cpus = lab::allowed_cpus().size();
  if (!supervisor.pin)
    refuse("--steer: cpu needs pinned workers; leave out --no-pin, or take hash");
  if (supervisor.workers > cpus) {
    refuse(
        fmt::format("--steer: cpu would leave some of {} workers without clients on {} CPU{}; "
                    "take hash",
                    supervisor.workers, cpus, cpus == 1 ? "" : "s"));
  }
}

// What one option alone cannot know.
void check_together(const CLI::App& app, Options& options) {
  lab::WorkerOptions& worker = options.worker;
  if (!std::has_single_bit(worker.buffer_count)) {
    refuse(
        fmt::format("--buffer-count: {} is not a power of two (8 to 32768)", worker.buffer_count));
  }
  if (worker.buffer_size % 8 != 0) {
    refuse(
        fmt::format("--buffer-size: {} is not a multiple of 8 (64 to 65536)", worker.buffer_size));
  }
  if (app.count("--zero-copy-threshold") == 0) {
    worker.zero_copy_threshold = std::min(worker.zero_copy_threshold, worker.buffer_size);
  } else if (worker.zero_copy_threshold > worker.buffer_size) {
    refuse(fmt::format(
        "--zero-copy-threshold: {} is larger than a buffer (0 to {}): no send would reach it",
        worker.zero_copy_threshold, worker.buffer_size));
  }
  if (app.count("--workers") == 0) {
    options.supervisor.workers = static_cast<unsigned>(lab::allowed_cpus().size());
  }
  check_steering(options.supervisor);
  const lab::ListenerOptions& listener = options.supervisor.listener;
  if (listener.v6_only && listener.address.find(':') == std::string::npos) {
    refuse(fmt::format("--ipv6-only: {} is an IPv4 address; --address :: takes every interface",
                       listener.address));
  }
  worker.drain_deadline_ms = options.supervisor.drain_deadline_ms;
  worker.peers_on_loopback = lab::is_loopback(listener.address);
}

// A file table may be as large as RLIMIT_NOFILE, though its slots are no fds of the process.
/// @return a warning for the log, or nothing
std::string fit_to_limits(lab::WorkerOptions& worker) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= worker.connections_max) return {};
  const unsigned wanted =
      std::exchange(worker.connections_max, static_cast<unsigned>(limit.rlim_max));
  return fmt::format("{} connections a worker instead of {}: ulimit -Hn allows no more",
                     limit.rlim_max, wanted);
}

void try_features(Options& options, const std::vector<std::string>& without) {
  options.features = lab::Features::detect();
  for (const std::string& name : without) {
    const lab::Feature feature = feature_named(name);
    if (feature == lab::Feature::count) {
      refuse(fmt::format("--without: '{}' is no feature; ./lab doctor lists them", name));
    }
    options.features.pretend(feature, EOPNOTSUPP);
  }
  const lab::Feature missing = options.features.missing();
  if (missing == lab::Feature::count) return;
  const lab::FeatureInfo& info = lab::Features::info(missing);
  const int error = options.features.error(missing);
  if (missing == lab::Feature::ring || error == ENOMEM || error == EPERM) {
    fail("cannot start: " + lab::explain_setup_error(error));
  }
  const std::string what = fmt::format("cannot start: {} (Linux {})", info.name, info.since);
  if (error == EMFILE || error == ENFILE) {
    fail(lab::explain(std::system_error(error, std::generic_category(), what)));
  }
  fail(fmt::format("{} does not work here: {}. ./lab doctor tells more", what,
                   std::generic_category().message(error)));
}

}  // namespace

int main(int argc, char** argv) {
  const bool has_stdout = fcntl(STDOUT_FILENO, F_GETFD) != -1;
  lab::open_standard_fds();
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads what is said here may be gone
  Options options;
  options.supervisor.listener.port = 8000;
  std::vector<std::string> without;
  CLI::App app{
      "A TCP echo server on io_uring: one pinned process per core, no copy between receive and "
      "send.\n\n"
      "Try it:   echo-server --port 8000      then, elsewhere:   nc localhost 8000\n"
      "Load it:  ringload 127.0.0.1 8000 --connections 64\n"
      "Stop it:  Ctrl-C drains, a second one stops at once.\n\n"
      "SIGTERM, SIGINT, SIGHUP and SIGQUIT drain. SIGUSR1 and SIGUSR2 write the statistics now.\n"
      "Exit code: 0 drained; 1 something was not in order, which the log says; 2 wrong use.\n",
      "echo-server"};
  app.get_formatter()->column_width(34);
  add_network_options(app, options.supervisor.listener);
  add_worker_options(app, options.worker);
  add_process_options(app, options, without);
  lab::take_decimal_numbers(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) != 0) return exit_wrong_use;
    return lab::output_written("echo-server") ? 0 : exit_failed;
  }

  check_together(app, options);
  if (options.supervisor.stats_json == "-" && !has_stdout) {
    refuse("--stats-json: - is standard output, which is closed");
  }
  try_features(options, without);
  options.supervisor.warning = fit_to_limits(options.worker);
  options.supervisor.worker_main = {.function = &worker_main, .argument = &options};
  options.supervisor.describe = &describe;
  try {
    return lab::Supervisor(options.supervisor).run();
  } catch (const std::exception& error) {
    fail(lab::explain(error));
  }
}
