#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/standard_fds.hpp"
#include "03-network/lib/listener.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/host_port.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/epoll-echo/epoll_worker.hpp"
#include "05-performance/lib/core_thread.hpp"

// epoll-echo: one process per worker, each with its own SO_REUSEPORT listener, and what they did at
// the end. What a worker does stands in epoll_worker.cpp.

namespace lab {

namespace {

// Files that are no connections: standard streams, listeners, epoll, signalfd.
constexpr std::size_t descriptor_reserve = 64;

struct StatsOptions {
  std::string path;  // empty: none are written
  unsigned interval_ms = 1000;
};

std::uint64_t cpu_us() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
  return static_cast<std::uint64_t>(us(usage.ru_utime) + us(usage.ru_stime));
}

// Runs worker `index` in this process, until a signal comes.
void run_worker(const EpollOptions& options, std::span<Listener> listeners, unsigned index,
                EpollStatistics& statistics) {
  for (unsigned other = 0; other < listeners.size(); ++other) {
    // A listener that two processes hold would go on taking connections after its worker has died.
    if (other != index) listeners[other].close();
  }
  if (options.pin >= 0) pin_to_cpu(options.pin + static_cast<int>(index));
  const int fd = listeners[index].fd();
  check_errno(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), "O_NONBLOCK");
  EpollWorker worker(options, fd, statistics);
  worker.run();
  statistics.cpu_us = cpu_us();
}

std::size_t connections_possible(std::size_t wanted) {
  rlimit limit = {};
  check_errno(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  check_errno(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  const std::size_t possible =
      std::max<std::size_t>(limit.rlim_max, descriptor_reserve + 1) - descriptor_reserve;
  if (wanted > possible) {
    complain("--connections {}: lowered to {}, the limit of open files allows no more", wanted,
             possible);
  }
  return std::min(wanted, possible);
}

// Where the worker that owns a counter may be counting meanwhile.
std::uint64_t counter(std::uint64_t& value) {
  return std::atomic_ref<std::uint64_t>(value).load(std::memory_order_relaxed);
}

// Appends a line of totals now and then. A process of its own: the workers stay single-threaded.
[[noreturn]] void report(const StatsOptions& options, std::span<EpollStatistics> statistics) {
  for (;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options.interval_ms));
    EpollStatistics sum;
    for (EpollStatistics& one : statistics) {
      sum.connections += counter(one.connections);
      sum.requests += counter(one.requests);
      sum.bytes += counter(one.bytes);
      sum.system_calls += counter(one.system_calls);
    }
    std::ofstream(options.path, std::ios::app)
        << fmt::format("{{\"accepted\":{},\"receives\":{},\"bytes_in\":{},\"system_calls\":{}}}\n",
                       sum.connections, sum.requests, sum.bytes, sum.system_calls);
  }
}

pid_t start_reporter(const StatsOptions& options, std::span<Listener> listeners,
                     std::span<EpollStatistics> statistics) {
  if (options.path.empty()) return -1;
  if (!std::ofstream(options.path, std::ios::app)) {
    throw std::runtime_error(fmt::format("--stats-json {}: cannot be written", options.path));
  }
  const pid_t parent = getpid();
  const pid_t child = check_errno(fork(), "fork");
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  for (Listener& listener : listeners) listener.close();
  report(options, statistics);
}

void print(const std::string& name, const EpollStatistics& statistics) {
  const double requests = static_cast<double>(std::max<std::uint64_t>(statistics.requests, 1));
  fmt::print(
      "{}: {} connections, {} requests, {} bytes, {} system calls ({:.2f} per request), CPU {:.3f} "
      "s ({:.2f} "
      "us per request)\n",
      name, statistics.connections, statistics.requests, statistics.bytes, statistics.system_calls,
      static_cast<double>(statistics.system_calls) / requests,
      static_cast<double>(statistics.cpu_us) / 1e6,
      static_cast<double>(statistics.cpu_us) / requests);
}

int serve(EpollOptions options, const StatsOptions& stats) {
  options.connections_max = connections_possible(options.connections_max);
  ListenerOptions listener_options = {.address = options.address,
                                      .port = options.port,
                                      .backlog = options.backlog,
                                      .socket_options = options.socket_options,
                                      .congestion = options.congestion};
  std::vector<Listener> listeners;
  for (unsigned index = 0; index < options.workers; ++index) {
    listeners.emplace_back(listener_options);
    listener_options.port = listeners.front().port();
    if (options.workers > 1 && index == 0) listeners.front().share_port();
    listener_options.reuse_port = options.workers > 1;
  }

  // Before the fork, so that no signal can come before the signalfd that waits for it.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);

  void* shared = mmap(nullptr, sizeof(EpollStatistics) * options.workers, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) check_errno(-1, "mmap");
  const std::span statistics(static_cast<EpollStatistics*>(shared), options.workers);

  const pid_t reporter = start_reporter(stats, listeners, statistics);

  // The first worker is this process: with one worker there is no other.
  const pid_t parent = getpid();
  std::vector<pid_t> children;
  for (unsigned index = 1; index < options.workers; ++index) {
    const pid_t child = check_errno(fork(), "fork");
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() != parent) _exit(1);
      run_worker(options, listeners, index, statistics[index]);
      _exit(0);
    }
    children.push_back(child);
  }
  fmt::print("listening on {}\n", host_port_text(options.address, listeners.front().port()));
  std::fflush(stdout);
  run_worker(options, listeners, 0, statistics[0]);

  for (const pid_t child : children) kill(child, SIGTERM);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  if (reporter > 0) {
    kill(reporter, SIGKILL);
    waitpid(reporter, nullptr, 0);
  }
  EpollStatistics total;
  for (unsigned index = 0; index < options.workers; ++index) {
    const EpollStatistics& one = statistics[index];
    if (options.workers > 1) print(fmt::format("worker {}", index), one);
    total.connections += one.connections;
    total.requests += one.requests;
    total.bytes += one.bytes;
    total.system_calls += one.system_calls;
    total.cpu_us += one.cpu_us;
  }
  print("total", total);
  return 0;
}

int run(int argc, char** argv) {
  CommandLine line(
      "epoll-echo",
      "A plain echo server on epoll: edge-triggered, one single-threaded process per worker, the "
      "baseline of the\n"
      "comparisons in this chapter. It takes the same options as echo-server where both have "
      "them.\n\n"
      "  epoll-echo --port 8000 --socket-options plain");
  EpollOptions options;
  std::string socket_options = "tuned";
  line.add_option("--address", options.address, "IPv4 or IPv6 address to listen on; :: takes both")
      .transform(&unbracketed)
      .capture_default_str();
  line.add_option("--port", options.port, "0 lets the kernel pick one, which is printed")
      .check(in_range(0, 65535))
      .capture_default_str();
  line.add_option("--workers", options.workers, "Processes, each with its own listener on the port")
      .check(in_range(1, 256))
      .capture_default_str();
  line.add_option("--connections", options.connections_max,
                  "Connections per worker; more wait in the backlog")
      .check(in_range(1, 1'000'000))
      .capture_default_str();
  line.add_option("--buffer-size", options.buffer_size, "Bytes that one recv may take")
      .check(in_range(1, 16 << 20))
      .capture_default_str();
  line.add_option("--backlog", options.backlog, "Connections that may wait to be accepted")
      .check(in_range(1, 65535))
      .capture_default_str();
  line.add_option("--socket-options", socket_options,
                  "plain: TCP_NODELAY and nothing else; tuned: what echo-server sets")
      .check(one_of({"tuned", "plain"}))
      .capture_default_str();
  line.add_option("--congestion", options.congestion,
                  "Congestion control; see tcp_available_congestion_control");
  line.add_option("--pin", options.pin,
                  "CPU of the first worker; the next ones take the CPUs after it")
      .check(in_range(0, 4095));
  StatsOptions stats;
  line.add_option("--stats-json", stats.path,
                  "Append a line of totals to this file at each interval: connections, receives, "
                  "bytes, system calls");
  line.add_option("--stats-interval-ms", stats.interval_ms, "The interval")
      .check(in_range(1, 3'600'000))
      .capture_default_str();
  line.parse(argc, argv);
  options.socket_options = socket_options == "plain" ? SocketOptions::plain : SocketOptions::tuned;
  return serve(options, stats);
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  try {
    return lab::run(argc, argv);
  } catch (const std::exception& error) {
    lab::complain("epoll-echo: {}", error.what());
    return 1;
  }
}
