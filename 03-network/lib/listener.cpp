#include "03-network/lib/listener.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

// Bytes that a socket takes although they cannot be sent yet. What is on its way to the peer does
// not count, so this costs no speed; without it, whoever does not read makes the kernel keep
// megabytes. And a send that waits goes on when half of it has left, not a third of megabytes.
[[maybe_unused]] constexpr int unsent_max = 128 << 10;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* any() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address parse(const std::string& text, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  } else {
    throw std::invalid_argument(
        fmt::format("'{}' is neither an IPv4 nor an IPv6 address (names are not looked up)", text));
  }
  return address;
}

void set_option(int fd, int level, int name, int value, const char* what) {
  check_errno(setsockopt(fd, level, name, &value, sizeof value), what);
}

Fd make_socket(const ListenerOptions& options, const Address& address) {
  Fd fd(check_errno(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  if (address.storage.ss_family == AF_INET6) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0, "IPV6_V6ONLY");
  }
  return fd;
}

// The options that only some systems have are set where they are known at all.
#ifdef TCP_CONGESTION
void set_congestion(int fd, const std::string& name) {
  check_errno(
      setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size())),
      "TCP_CONGESTION (see net.ipv4.tcp_available_congestion_control)");
}
#else
void set_congestion(int, const std::string&) {}
#endif

void set_options(int fd, const ListenerOptions& options) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
#ifdef TCP_DEFER_ACCEPT
  // Not 0: a socket that was passed may have it from whoever passes it.
  if (options.defer_accept_s != 0) {
    set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, static_cast<int>(options.defer_accept_s),
               "TCP_DEFER_ACCEPT");
  }
#endif
  if (!options.congestion.empty()) set_congestion(fd, options.congestion);
  if (options.send_buffer != 0) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(options.send_buffer), "SO_SNDBUF");
  }
  if (options.socket_options == SocketOptions::plain) return;
  set_option(fd, SOL_SOCKET, SO_RCVBUF, static_cast<int>(options.receive_buffer), "SO_RCVBUF");
#ifdef TCP_NOTSENT_LOWAT
  set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_max, "TCP_NOTSENT_LOWAT");
#endif
#ifdef TCP_USER_TIMEOUT
  if (options.user_timeout_ms != 0) {
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options.user_timeout_ms),
               "TCP_USER_TIMEOUT");
  }
#endif
  if (options.congestion.empty() && is_loopback(options.address)) set_congestion(fd, "reno");
}

unsigned somaxconn() {
  unsigned value = 4096;
  std::ifstream("/proc/sys/net/core/somaxconn") >> value;
  return value;
}

std::uint16_t port_of(int fd) {
  Address address;
  address.size = sizeof address.storage;
  check_errno(getsockname(fd, address.any(), &address.size), "getsockname");
  return ntohs(address.storage.ss_family == AF_INET
                   ? reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port
                   : reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port);
}

struct Queue {
  unsigned waiting = 0;
  unsigned longest = 0;
};

// For a listener the fields mean its queue. tcp(7), tcp_get_info() in the kernel
Queue queue_of([[maybe_unused]] int fd) noexcept {
#ifdef LAB_WITHOUT_IO_URING
  return {};  // no other system tells
#else
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return {.waiting = info.tcpi_unacked, .longest = info.tcpi_sacked};
#endif
}

}  // namespace

Listener::Listener(const ListenerOptions& options) {
  Address address = parse(options.address, options.port);
  fd_ = make_socket(options, address);
  if (options.reuse_port) set_option(fd_.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  set_options(fd_.get(), options);
  check_errno(bind(fd_.get(), address.any(), address.size), "bind");
  check_errno(listen(fd_.get(), options.backlog), "listen");
  backlog_ = std::min(static_cast<unsigned>(options.backlog), somaxconn());
  port_ = port_of(fd_.get());
}

Listener::Listener(Fd listening, const ListenerOptions& options) : fd_(std::move(listening)) {
  set_options(fd_.get(), options);
  port_ = port_of(fd_.get());
  backlog_ = queue_of(fd_.get()).longest;
}

// The kernel looks at the option of the sockets that are there when another one binds, and makes
// the group when the second one listens. inet_csk_get_port(), reuseport_add_sock()
void Listener::share_port() { set_option(fd_.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"); }

unsigned Listener::waiting() const noexcept { return queue_of(fd_.get()).waiting; }

bool is_loopback(const std::string& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6) != 0;
}

}  // namespace lab
