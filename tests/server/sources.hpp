// Clients that come from addresses of their own: all of 127.0.0.0/8 is this machine.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "tests/server/support.hpp"

namespace lab {

/// 127.0.1.1 and so on. @param number below 250
inline std::string source(unsigned number) { return "127.0.1." + std::to_string(number + 1); }

/// A blocking socket, from an address of one's choice. @throws std::system_error
inline Fd connect_from(const std::string& from, std::uint16_t port) {
  sockaddr_storage address{};
  socklen_t size = sizeof(sockaddr_in);
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(address);
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, from.c_str(), &ipv4.sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else {
    inet_pton(AF_INET6, from.c_str(), &ipv6.sin6_addr);
    address.ss_family = AF_INET6;
    size = sizeof ipv6;
  }
  Fd fd(check_errno(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  // No port is taken before connect(): one address has 28,000 of them for each server.
  const int on = 1;
  check_errno(setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on),
              "IP_BIND_ADDRESS_NO_PORT");
  const timeval limit{60, 0};  // patience
  check_errno(setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "SO_RCVTIMEO");
  check_errno(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  if (address.ss_family == AF_INET) {
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ipv4.sin_port = htons(port);
  } else {
    ipv6.sin6_port = htons(port);
  }
  check_errno(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size), "connect");
  return fd;
}

/// One byte there and back. @return false: the server has ended the connection instead
inline bool echoes(const Fd& client) {
  char byte = 'x';
  if (send(client.get(), &byte, 1, MSG_NOSIGNAL) != 1) return false;
  // A call with a time limit is not begun again by itself: the work of a ring that this thread had
  // interrupts it.
  ssize_t got = 0;
  do {
    got = recv(client.get(), &byte, 1, 0);
  } while (got < 0 && errno == EINTR);
  EXPECT_FALSE(got < 0 && errno == EAGAIN) << "neither an answer nor an end";
  return got == 1;
}

/// So often at the most something was let in since it began: a limit, told by this side's clock.
class Allowance {
 public:
  Allowance(unsigned rate, unsigned burst) : rate_(rate), burst_(burst) {}

  unsigned least() const { return burst_; }
  unsigned most() const {
    const std::chrono::duration<double> elapsed = Clock::now() - begin_;
    return burst_ + static_cast<unsigned>(elapsed.count() * rate_);
  }

 private:
  Clock::time_point begin_ = Clock::now();
  unsigned rate_;
  unsigned burst_;
};

}  // namespace lab
