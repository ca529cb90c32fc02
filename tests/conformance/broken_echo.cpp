#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <list>
#include <string>
#include <utility>
#include <vector>
#include "01-core/standard_fds.hpp"
#include "05-performance/bench/command_line.hpp"

// An echo server that is wrong on purpose, one bug at a time: the test of the conformance client.
// With
// --bug none it is right, and slow. It is no example of anything else.

namespace lab {

namespace {

enum class Bug {
  none,
  lose,            // drops a byte now and then
  reorder,         // swaps the halves of what one recv brought
  duplicate,       // sends a chunk twice
  mix,             // sends a chunk to another connection
  short_send,      // forgets what a full socket did not take
  no_half_close,   // drops what is unsent when the peer's FIN comes
  leak,            // never closes after the peer's FIN
  die_on_reset,    // ends when a peer resets
  starve,          // waits in send, and serves nobody meanwhile
  unbounded,       // stores for a peer that does not read, without a limit
  reset_waiting,   // takes connections beyond the limit and closes them
  forget_waiting,  // stops accepting at the limit and never begins again
  spin,            // polls the listener at the limit
  no_limit         // takes any number of connections
};

const std::array<std::pair<const char*, Bug>, 15> bug_names = {{
    {"none", Bug::none},
    {"lose", Bug::lose},
    {"reorder", Bug::reorder},
    {"duplicate", Bug::duplicate},
    {"mix", Bug::mix},
    {"short-send", Bug::short_send},
    {"no-half-close", Bug::no_half_close},
    {"leak", Bug::leak},
    {"die-on-reset", Bug::die_on_reset},
    {"starve", Bug::starve},
    {"unbounded", Bug::unbounded},
    {"reset-waiting", Bug::reset_waiting},
    {"forget-waiting", Bug::forget_waiting},
    {"spin", Bug::spin},
    {"no-limit", Bug::no_limit},
}};

// A content bug strikes when a connection's stream passes a multiple of this, so that what comes
// first is right.
constexpr std::uint64_t strike_every = 200;
constexpr std::size_t unsent_max = 64 * 1024;
// What a socket takes stays below that, so that a slow reader always leaves bytes in our hands: a
// buffer that the kernel makes larger as it goes (to 4 MiB) can swallow a whole answer, and a bug
// that shows only with bytes unsent would then not show.
constexpr int send_buffer_size = 16 * 1024;

struct Connection {
  int fd = -1;
  std::string unsent = {};
  std::uint64_t received = 0;
  bool finished = false;
  bool gone = false;
};

class Server {
 public:
  Server(Bug bug, std::size_t connections_max) : bug_(bug), connections_max_(connections_max) {}

  void run();

 private:
  void listen_on_any_port();
  [[nodiscard]] bool wants_accept() const;
  void on_accept();
  void on_readable(Connection& connection);
  void take(Connection& connection, std::string chunk);
  void flush(Connection& connection);

  const Bug bug_;
  const std::size_t connections_max_;
  int listener_ = -1;
  bool was_full_ = false;
  std::list<Connection> connections_;
};

void Server::run() {
  listen_on_any_port();
  std::vector<pollfd> entries;
  for (;;) {
    was_full_ = was_full_ || connections_.size() >= connections_max_;
    entries.assign(1, {.fd = wants_accept() ? listener_ : -1, .events = POLLIN, .revents = 0});
    for (const Connection& connection : connections_) {
      const bool full = bug_ != Bug::unbounded && connection.unsent.size() >= unsent_max;
      short events = full || connection.finished ? 0 : POLLIN;
      if (!connection.unsent.empty()) events |= POLLOUT;
      entries.push_back({.fd = connection.fd, .events = events, .revents = 0});
    }
    if (poll(entries.data(), entries.size(), -1) < 0) return;
    auto entry = entries.begin() + 1;
    for (Connection& connection : connections_) {
      const short revents = (entry++)->revents;
      if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) on_readable(connection);
      if (!connection.gone) flush(connection);
    }
    connections_.remove_if([](const Connection& connection) {
      if (connection.gone) close(connection.fd);
      return connection.gone;
    });
    if (entries.front().revents != 0) on_accept();
  }
}

void Server::listen_on_any_port() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(listener_, SOL_SOCKET, SO_SNDBUF, &send_buffer_size, sizeof send_buffer_size);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 4096) != 0) {
    throw std::runtime_error("cannot listen");
  }
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  fmt::print("listening on 127.0.0.1:{}\n", ntohs(address.sin_port));
  std::fflush(stdout);
}

bool Server::wants_accept() const {
  if (bug_ == Bug::reset_waiting || bug_ == Bug::spin || bug_ == Bug::no_limit) return true;
  if (bug_ == Bug::forget_waiting && was_full_) return false;
  return connections_.size() < connections_max_;
}

void Server::on_accept() {
  while (bug_ == Bug::no_limit || bug_ == Bug::reset_waiting ||
         connections_.size() < connections_max_) {
    const int fd = accept4(listener_, nullptr, nullptr, bug_ == Bug::starve ? 0 : SOCK_NONBLOCK);
    if (fd < 0) return;
    if (bug_ == Bug::reset_waiting && connections_.size() >= connections_max_) {
      close(fd);
    } else {
      connections_.push_back({.fd = fd});
    }
  }
}

void Server::on_readable(Connection& connection) {
  std::array<char, 16384> buffer;
  const ssize_t count = recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0) {
    take(connection, std::string(buffer.data(), static_cast<std::size_t>(count)));
  } else if (count == 0) {
    connection.finished = true;
    if (bug_ == Bug::no_half_close) connection.gone = true;
  } else if (errno != EAGAIN) {
    if (bug_ == Bug::die_on_reset) _exit(1);
    connection.gone = true;
  }
}

void Server::take(Connection& connection, std::string chunk) {
  const std::uint64_t before = connection.received;
  connection.received += chunk.size();
  const bool strikes = before / strike_every != connection.received / strike_every;
  Connection* to = &connection;
  if (strikes && bug_ == Bug::lose) chunk.erase(0, 1);
  if (strikes && bug_ == Bug::reorder) {
    std::rotate(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(chunk.size() / 2),
                chunk.end());
  }
  if (strikes && bug_ == Bug::duplicate) chunk += chunk;
  if (strikes && bug_ == Bug::mix) {
    for (Connection& other : connections_) {
      if (&other != &connection && !other.gone) to = &other;
    }
  }
  to->unsent += chunk;
}

void Server::flush(Connection& connection) {
  if (!connection.unsent.empty()) {
    const ssize_t sent =
        send(connection.fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      if (bug_ == Bug::die_on_reset) _exit(1);
      connection.gone = true;
      return;
    }
    connection.unsent.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    if (bug_ == Bug::short_send) connection.unsent.clear();
  }
  if (connection.finished && connection.unsent.empty() && bug_ != Bug::leak) connection.gone = true;
}

int run(int argc, char** argv) {
  CommandLine line("broken_echo",
                   "An echo server with a bug, to test the conformance client with.");
  std::string bug = "none";
  std::size_t connections_max = 1'000'000;
  std::vector<std::string> names;
  for (const auto& [name, value] : bug_names) names.emplace_back(name);
  line.add_option("--bug", bug, "What is wrong with it").check(one_of(names)).capture_default_str();
  line.add_option("--connections", connections_max, "Connections that it serves; more wait")
      .check(in_range(1, 1'000'000))
      .capture_default_str();
  line.parse(argc, argv);
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  // It is stopped by a signal and shall leave with 0, like the servers that it stands in for.
  std::signal(SIGTERM, [](int) { _exit(0); });
  for (const auto& [name, value] : bug_names) {
    if (bug == name) Server(value, connections_max).run();
  }
  return 1;
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) {
  lab::open_standard_fds();
  try {
    return lab::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "broken_echo: {}\n", error.what());
    return 1;
  }
}
