#include "05-performance/ringload/sockets.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "01-core/lib/check.hpp"
#include "05-performance/bench/host_port.hpp"
#include "05-performance/bench/memory_available.hpp"
#include "05-performance/lib/core_thread.hpp"

namespace lab {

namespace {

constexpr int probe_timeout_ms = 250;  // a datagram may be lost: it is sent four times
constexpr int probes_max = 4;

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

std::unique_ptr<addrinfo, FreeAddresses> resolve(const LoadOptions& options, int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  addrinfo* list = nullptr;
  const std::string port = fmt::format("{}", options.port);
  const int error = getaddrinfo(options.host.c_str(), port.c_str(), &hints, &list);
  if (error != 0) {
    throw std::runtime_error(fmt::format("{}: {}", options.host, gai_strerror(error)));
  }
  return std::unique_ptr<addrinfo, FreeAddresses>(list);
}

ServerAddress address_of(const addrinfo& entry) {
  ServerAddress address;
  std::memcpy(&address.storage, entry.ai_addr, entry.ai_addrlen);
  address.size = entry.ai_addrlen;
  return address;
}

// 0 or the error.
int try_tcp(const addrinfo& entry, double patience_s) {
  const Fd fd(socket(entry.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || connect(fd.get(), entry.ai_addr, entry.ai_addrlen) == 0) return fd ? 0 : errno;
  if (errno != EINPROGRESS) return errno;
  pollfd wait{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  if (poll(&wait, 1, static_cast<int>(patience_s * 1000)) != 1) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// 0 or the error. Any datagram back will do: what is in it is looked at during the run.
int try_udp(const addrinfo& entry, std::size_t size) {
  const Fd fd(socket(entry.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), entry.ai_addr, entry.ai_addrlen) != 0) return errno;
  const std::vector<char> datagram(size, '?');
  for (int probe = 0; probe < probes_max; ++probe) {
    if (send(fd.get(), datagram.data(), datagram.size(), 0) < 0) return errno;
    pollfd wait{.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, probe_timeout_ms) != 1) continue;
    char byte = 0;
    return recv(fd.get(), &byte, 1, MSG_TRUNC) < 0 ? errno : 0;
  }
  return ETIMEDOUT;
}

void set_receive_buffer(const LoadOptions& options, const Fd& fd) {
  if (!options.receive_buffer_size) return;
  check_errno(setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &*options.receive_buffer_size,
                         sizeof *options.receive_buffer_size),
              "--receive-buffer");
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  for (char& letter : line) letter = letter == '\t' ? ' ' : letter;
  return line;
}

// Connections in TIME_WAIT in this network namespace: "TCP: inuse 7 orphan 0 tw 28231 ...".
std::string time_wait_count() {
  std::ifstream file("/proc/net/sockstat");
  for (std::string line; std::getline(file, line);) {
    const std::size_t place = line.find(" tw ");
    if (!line.starts_with("TCP:") || place == std::string::npos) continue;
    const std::string count = line.substr(place + 4);
    return count.substr(0, count.find(' '));
  }
  return "?";
}

}  // namespace

LoadOptions prepare_process(const LoadOptions& options, std::uint64_t memory) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (options.connections > limit.rlim_cur) {
    throw std::runtime_error(fmt::format(
        "--connections {} is more than the {} descriptors that this process may have (EMFILE). "
        "Cure: raise the hard limit (ulimit -Hn, or LimitNOFILE of the service), or run several "
        "ringload",
        options.connections, limit.rlim_cur));
  }
  need_memory(memory,
              fmt::format("--connections {} x --depth {} x --size {}", options.connections,
                          options.depth, options.size),
              "less of one of them");
  if (options.cpu) {
    try {
      pin_to_cpu(*options.cpu);
    } catch (const std::system_error&) {
      throw std::runtime_error(fmt::format(
          "--cpu {}: this process may not run there (see taskset -p $$)", *options.cpu));
    }
  }
  return options;
}

ServerAddress find_tcp_server(const LoadOptions& options) {
  const auto list = resolve(options, SOCK_STREAM);
  int error = 0;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    error = try_tcp(*entry, options.patience_s);
    if (error == 0) return address_of(*entry);
  }
  throw std::runtime_error(
      fmt::format("cannot connect to {}: {}{}", host_port_text(options.host, options.port),
                  std::strerror(error),
                  error == ECONNREFUSED ? " (nobody listens there: is the server up?)" : ""));
}

ServerAddress find_udp_server(const LoadOptions& options) {
  const auto list = resolve(options, SOCK_DGRAM);
  int error = 0;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    error = try_udp(*entry, options.size);
    if (error == 0) return address_of(*entry);
  }
  const char* cause = "";
  if (error == ECONNREFUSED) {
    cause = " (nobody has bound that UDP port; a TCP server on the same number does not count)";
  } else if (error == ETIMEDOUT) {
    cause = " (4 datagrams were sent, none came back within 250 ms: is it an echo server?)";
  } else if (error == EMSGSIZE) {
    cause = " (--size is more than a datagram holds on the way there)";
  }
  throw std::runtime_error(fmt::format("no UDP echo from {}: {}{}",
                                       host_port_text(options.host, options.port),
                                       std::strerror(error), cause));
}

Fd open_tcp_socket(const LoadOptions& options, int family, Ending ending) {
  Fd fd(check_errno(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0),
                    "socket (EMFILE, ENFILE: too many open files, see ulimit -n)"));
  const int on = 1;
  check_errno(setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  if (ending == Ending::reset) {
    const linger reset{.l_onoff = 1, .l_linger = 0};
    check_errno(setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), "SO_LINGER");
  }
  if (!options.congestion.empty()) {
    check_errno(setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, options.congestion.data(),
                           static_cast<socklen_t>(options.congestion.size())),
                "--congestion (see net.ipv4.tcp_available_congestion_control)");
  }
  set_receive_buffer(options, fd);
  return fd;
}

Fd open_udp_socket(const LoadOptions& options, const ServerAddress& server) {
  Fd fd(check_errno(socket(server.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0),
                    "socket (EMFILE, ENFILE: too many open files, see ulimit -n)"));
  set_receive_buffer(options, fd);
  check_errno(connect(fd.get(), reinterpret_cast<const sockaddr*>(&server.storage), server.size),
              "connect");
  return fd;
}

void put_into_slot(Ring& ring, unsigned slot, const Fd& fd) {
  const int descriptor = fd.get();
  check(io_uring_register_files_update(ring.raw(), slot, &descriptor, 1),
        "io_uring_register_files_update");
}

std::string connect_error_text(int error) {
  if (error != EADDRNOTAVAIL) return std::strerror(error);
  return fmt::format(
      "no local port is left (EADDRNOTAVAIL): {} connections are in TIME_WAIT, where a port stays "
      "for 60 s after we closed it, and net.ipv4.ip_local_port_range is {}. Cure: --linger-reset "
      "(with --churn: close with a reset, which leaves no TIME_WAIT), a wider range, or a server "
      "on several addresses",
      time_wait_count(), first_line("/proc/sys/net/ipv4/ip_local_port_range"));
}

}  // namespace lab
