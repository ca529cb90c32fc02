#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "03-network/lib/listener.hpp"
#include "05-performance/lib/core_thread.hpp"

// epoll-echo: a plain, good echo server on epoll, the baseline that the io_uring server is compared
// with. One process per worker and one thread in it, each with its own SO_REUSEPORT listener; two
// system calls a request (recv, send) and one epoll_wait for all that are ready.

namespace lab {

namespace {

constexpr std::size_t events_max = 512;
// How many full buffers one connection may send before it is the others' turn.
constexpr int turns_max = 8;
constexpr int accepts_max = 64;
// Files that are no connections: standard streams, listeners, epoll, signalfd.
constexpr std::size_t descriptor_reserve = 64;

struct Options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;
  unsigned workers = 1;
  std::size_t connections_max = 32768;
  std::size_t buffer_size = 16384;
  int backlog = 4096;
  SocketOptions socket_options = SocketOptions::tuned;
  std::string congestion;
  int pin = -1;
};

// Written by one worker, read by the first after the others have gone.
struct Statistics {
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  std::uint64_t system_calls = 0;
  std::uint64_t cpu_us = 0;
};

struct Connection {
  Fd fd;
  // What a full socket did not take: rest[rest_begin, rest_end). At most one buffer, for nothing is
  // read while it is not empty; that is all the back-pressure there is.
  std::unique_ptr<std::byte[]> rest;
  std::size_t rest_begin = 0;
  std::size_t rest_end = 0;
  // True when epoll has seen the peer's FIN: its edge is gone, so reading goes on until 0 comes.
  bool end_seen = false;
  // True while it stands in Worker::again_; it has no rest then.
  bool queued = false;

  [[nodiscard]] bool has_rest() const { return rest_begin < rest_end; }
};

class Worker {
 public:
  Worker(const Options& options, int listener, Statistics& statistics);

  // Returns after SIGTERM or SIGINT, which the caller has blocked.
  void run();

 private:
  void on_accept();
  void on_event(Connection& connection, std::uint32_t events);
  void echo(Connection& connection);
  bool send_or_keep(Connection& connection, std::size_t size);
  bool flush(Connection& connection);
  void close(Connection& connection);
  void accept_again();
  void pause_accepting();
  void watch(int fd, std::uint32_t events, void* owner);

  const Options& options_;
  const int listener_;
  Statistics& statistics_;
  Fd epoll_;
  Fd signals_;
  std::vector<std::byte> buffer_;
  // By descriptor. A connection's address stays, so that epoll can hold it.
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t open_ = 0;
  // Connections that used up their turns with more to read: no edge will come for what they have.
  std::vector<Connection*> again_;
  // False while the listener is out of epoll, for want of connections or descriptors.
  bool accepting_ = true;
};

Worker::Worker(const Options& options, int listener, Statistics& statistics)
    : options_(options),
      listener_(listener),
      statistics_(statistics),
      epoll_(check_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      buffer_(options.buffer_size) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  signals_ = Fd(check_errno(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  watch(signals_.get(), EPOLLIN, &signals_);
  watch(listener_, EPOLLIN, this);
}

void Worker::run() {
  std::array<epoll_event, events_max> events;
  for (;;) {
    // Descriptors may run out for the whole process's neighbours' sake, and none of ours closes
    // then.
    const int timeout_ms = !again_.empty()                                   ? 0
                           : accepting_ || open_ >= options_.connections_max ? -1
                                                                             : 100;
    const int ready = epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms);
    ++statistics_.system_calls;
    if (ready < 0 && errno != EINTR) check_errno(ready, "epoll_wait");
    if (ready == 0 && !accepting_ && open_ < options_.connections_max) accept_again();

    bool accept_due = false;
    for (int index = 0; index < ready; ++index) {
      const epoll_event& event = events[static_cast<std::size_t>(index)];
      if (event.data.ptr == &signals_) return;
      if (event.data.ptr == this) {
        accept_due = true;
      } else {
        on_event(*static_cast<Connection*>(event.data.ptr), event.events);
      }
    }
    for (Connection* connection : std::exchange(again_, {})) {
      // It may have been closed meanwhile, and its place taken by another.
      if (!std::exchange(connection->queued, false)) continue;
      echo(*connection);
    }
    // Last, so that no event of this batch can meet a descriptor that has a new owner.
    if (accept_due) on_accept();
  }
}

void Worker::on_accept() {
  for (int count = 0; count < accepts_max; ++count) {
    if (open_ >= options_.connections_max) return pause_accepting();
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ++statistics_.system_calls;
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting();
      // Anything else is EAGAIN, or a connection that was gone before it was accepted.
      return;
    }
    const std::size_t index = static_cast<std::size_t>(fd);
    if (connections_.size() <= index) connections_.resize(index + 1);
    if (!connections_[index]) connections_[index] = std::make_unique<Connection>();
    Connection& connection = *connections_[index];
    connection.fd = Fd(fd);
    ++open_;
    ++statistics_.connections;
    watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &connection);
  }
}

void Worker::on_event(Connection& connection, std::uint32_t events) {
  if ((events & EPOLLERR) != 0) return close(connection);
  if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) connection.end_seen = true;
  // Its turn comes after this batch. Reading now could leave a rest, which that turn would
  // overwrite.
  if (connection.queued) return;
  if (connection.has_rest()) {
    // More to read is no news while there is a rest; room to send is.
    if ((events & (EPOLLOUT | EPOLLHUP)) == 0) return;
    if (!flush(connection)) return;
  }
  echo(connection);
}

// Reads and sends until the socket is empty, or full, or its turns are used up.
void Worker::echo(Connection& connection) {
  for (int turn = 0; turn < turns_max; ++turn) {
    const ssize_t count = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
    ++statistics_.system_calls;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return close(connection);
    const std::size_t size = static_cast<std::size_t>(count);
    ++statistics_.requests;
    statistics_.bytes += size;
    if (!send_or_keep(connection, size)) return;
    // A buffer that did not become full emptied the socket, and whatever comes now makes a new
    // edge: one recv saved. Only a FIN that epoll has reported already makes none (epoll(7),
    // questions 9 and 10).
    if (size < buffer_.size() && !connection.end_seen) return;
  }
  connection.queued = true;
  again_.push_back(&connection);
}

// Sends the first `size` bytes of the buffer. False when the connection keeps a rest, or is closed.
bool Worker::send_or_keep(Connection& connection, std::size_t size) {
  ssize_t sent = send(connection.fd.get(), buffer_.data(), size, MSG_NOSIGNAL);
  ++statistics_.system_calls;
  if (sent == static_cast<ssize_t>(size)) return true;
  if (sent < 0) {
    if (errno != EAGAIN) {
      close(connection);
      return false;
    }
    sent = 0;
  }
  // The buffer is made once a peer is slow and then kept: most peers never are.
  if (!connection.rest) connection.rest = std::make_unique<std::byte[]>(buffer_.size());
  connection.rest_begin = 0;
  connection.rest_end = size - static_cast<std::size_t>(sent);
  std::memcpy(connection.rest.get(), buffer_.data() + sent, connection.rest_end);
  return false;
}

// Sends what the connection keeps. True when nothing is left.
bool Worker::flush(Connection& connection) {
  const ssize_t sent = send(connection.fd.get(), connection.rest.get() + connection.rest_begin,
                            connection.rest_end - connection.rest_begin, MSG_NOSIGNAL);
  ++statistics_.system_calls;
  if (sent < 0) {
    if (errno != EAGAIN) close(connection);
    return false;
  }
  connection.rest_begin += static_cast<std::size_t>(sent);
  return !connection.has_rest();
}

void Worker::close(Connection& connection) {
  // Its object stays for the next owner of the descriptor, and gives back the large part of its
  // memory.
  connection = Connection{};
  ++statistics_.system_calls;
  --open_;
  if (!accepting_) accept_again();
}

void Worker::accept_again() {
  accepting_ = true;
  watch(listener_, EPOLLIN, this);
}

// Clients wait in the backlog meanwhile; left in epoll, the listener would be ready all the time.
void Worker::pause_accepting() {
  accepting_ = false;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_, nullptr);
  ++statistics_.system_calls;
}

// EPOLLOUT stands in the edge-triggered mask from the start: it wakes nobody until a send has found
// the socket full, and a blocked send needs no epoll_ctl.
void Worker::watch(int fd, std::uint32_t events, void* owner) {
  epoll_event event = {.events = events, .data = {.ptr = owner}};
  check_errno(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  ++statistics_.system_calls;
}

std::uint64_t cpu_us() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
  return static_cast<std::uint64_t>(us(usage.ru_utime) + us(usage.ru_stime));
}

// Runs worker `index` in this process, until a signal comes.
void run_worker(const Options& options, std::span<Listener> listeners, unsigned index,
                Statistics& statistics) {
  for (unsigned other = 0; other < listeners.size(); ++other) {
    // A listener that two processes hold would go on taking connections after its worker has died.
    if (other != index) listeners[other].close();
  }
  if (options.pin >= 0) pin_to_cpu(options.pin + static_cast<int>(index));
  const int fd = listeners[index].fd();
  check_errno(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), "O_NONBLOCK");
  Worker worker(options, fd, statistics);
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
    fmt::print(stderr, "--connections {}: lowered to {}, the limit of open files allows no more\n",
               wanted, possible);
  }
  return std::min(wanted, possible);
}

void print(const std::string& name, const Statistics& statistics) {
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

int serve(Options options) {
  options.connections_max = connections_possible(options.connections_max);
  ListenerOptions listener_options = {.address = options.address,
                                      .port = options.port,
                                      .backlog = options.backlog,
                                      .reuse_port = options.workers > 1,
                                      .socket_options = options.socket_options,
                                      .congestion = options.congestion};
  if (listener_options.reuse_port && options.port != 0) probe_port(listener_options);
  std::vector<Listener> listeners;
  for (unsigned index = 0; index < options.workers; ++index) {
    listeners.emplace_back(listener_options);
    listener_options.port = listeners.front().port();
  }

  // Before the fork, so that no signal can come before the signalfd that waits for it.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);

  void* shared = mmap(nullptr, sizeof(Statistics) * options.workers, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) check_errno(-1, "mmap");
  const std::span statistics(static_cast<Statistics*>(shared), options.workers);

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
  const char* format = options.address.find(':') == std::string::npos ? "{}:{}" : "[{}]:{}";
  fmt::print("listening on {}\n",
             fmt::format(fmt::runtime(format), options.address, listeners.front().port()));
  std::fflush(stdout);
  run_worker(options, listeners, 0, statistics[0]);

  for (const pid_t child : children) kill(child, SIGTERM);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  Statistics total;
  for (unsigned index = 0; index < options.workers; ++index) {
    const Statistics& one = statistics[index];
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
  CLI::App app{
      "A plain echo server on epoll: edge-triggered, one single-threaded process per worker, the "
      "baseline of the\n"
      "comparisons in this chapter. It takes the same options as echo-server where both have "
      "them.\n\n"
      "  epoll-echo --port 8000 --socket-options plain"};
  Options options;
  std::string socket_options = "tuned";
  app.add_option("--address", options.address, "IPv4 or IPv6 address to listen on; :: takes both")
      ->capture_default_str();
  app.add_option("--port", options.port, "0 lets the kernel pick one, which is printed")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--workers", options.workers, "Processes, each with its own listener on the port")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--connections", options.connections_max,
                 "Connections per worker; more wait in the backlog")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--buffer-size", options.buffer_size, "Bytes that one recv may take")
      ->check(CLI::Range(1, 16 << 20))
      ->capture_default_str();
  app.add_option("--backlog", options.backlog, "Connections that may wait to be accepted")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--socket-options", socket_options,
                 "plain: TCP_NODELAY and nothing else; tuned: what echo-server sets")
      ->check(CLI::IsMember({"tuned", "plain"}))
      ->capture_default_str();
  app.add_option("--congestion", options.congestion,
                 "Congestion control; see tcp_available_congestion_control");
  app.add_option("--pin", options.pin,
                 "CPU of the first worker; the next ones take the CPUs after it")
      ->check(CLI::Range(0, 4095));
  CLI11_PARSE(app, argc, argv);
  options.socket_options = socket_options == "plain" ? SocketOptions::plain : SocketOptions::tuned;
  return serve(options);
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  try {
    return lab::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "epoll-echo: {}\n", error.what());
    return 1;
  }
}
