#include "03-network/lib/listener.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tests/unit/support.hpp"

namespace lab {
namespace {

Fd connect_to_ipv6(std::uint16_t port) {
  Fd fd(check_errno(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  check_errno(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
              "connect");
  return fd;
}

Fd accept_from(const Listener& listener) {
  const Deadline deadline;
  return Fd(check_errno(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC), "accept4"));
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  check_errno(::getsockopt(fd, level, name, &value, &size), "getsockopt");
  return value;
}

std::string congestion(int fd) {
  char name[16] = {};
  socklen_t size = sizeof name;
  check_errno(::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size), "getsockopt");
  return name;
}

// A connection as the kernel makes it when nobody sets anything.
Fd accept_by_default() {
  const Fd listener(check_errno(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check_errno(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  check_errno(::listen(listener.get(), 1), "listen");
  check_errno(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size),
              "getsockname");
  const Fd client = connect_to(ntohs(address.sin_port));
  return Fd(check_errno(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4"));
}

// The errno that the call throws, or 0.
template <class Call>
int thrown_errno(Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

bool has_ipv6() {
  try {
    const Listener listener(ListenerOptions{.address = "::1"});
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

TEST(Listener, PicksAPortAndTakesConnections) {
  const Listener first(ListenerOptions{}), second(ListenerOptions{});
  EXPECT_NE(first.port(), 0);
  EXPECT_NE(first.port(), second.port());
  const Fd client = connect_to(first.port());
  const Fd server = accept_from(first);
  send_all(client, pattern(5));
  EXPECT_EQ(receive_all(server, 5), pattern(5));
}

TEST(Listener, TakesThePortThatIsAskedFor) {
  std::uint16_t port = 0;
  {
    const Listener listener(ListenerOptions{});
    port = listener.port();
    // The side that closes first keeps the port in TIME_WAIT; a restart must not mind.
    const Fd client = connect_to(port);
    accept_from(listener).reset();
    EXPECT_TRUE(peer_closed(client));
  }
  const Listener again(ListenerOptions{.port = port});
  EXPECT_EQ(again.port(), port);
  connect_to(port);
}

TEST(Listener, Ipv6AndDualStack) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6 on loopback";
  const Listener loopback(ListenerOptions{.address = "::1"});
  connect_to_ipv6(loopback.port());
  EXPECT_EQ(thrown_errno([&] { connect_to(loopback.port()); }), ECONNREFUSED);

  const Listener both(ListenerOptions{.address = "::"});
  connect_to_ipv6(both.port());
  connect_to(both.port());

  const Listener only(ListenerOptions{.address = "::", .v6_only = true});
  connect_to_ipv6(only.port());
  EXPECT_EQ(thrown_errno([&] { connect_to(only.port()); }), ECONNREFUSED);
}

TEST(Listener, CloseStopsListening) {
  Listener listener(ListenerOptions{});
  const Fd waiting = connect_to(listener.port());
  listener.close();
  EXPECT_TRUE(peer_closed(waiting)) << "what waits in the backlog is reset";
  EXPECT_EQ(thrown_errno([&] { connect_to(listener.port()); }), ECONNREFUSED);
}

TEST(Listener, TheBacklogIsWhatTheKernelLeaves) {
  unsigned somaxconn = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> somaxconn;
  ASSERT_GT(somaxconn, 0U);
  EXPECT_EQ(Listener(ListenerOptions{.backlog = 1}).backlog(), 1U);
  EXPECT_EQ(Listener(ListenerOptions{.backlog = 1'000'000'000}).backlog(), somaxconn);
}

// Longer than any test: who has said nothing is not accepted before it ends.
TEST(Listener, AClientMayWaitUntilItSaysSomething) {
  const Listener at_once(ListenerOptions{});
  const Listener deferred(ListenerOptions{.defer_accept_s = 3600});
  connect_to(at_once.port());
  const Fd silent = connect_to(deferred.port());
  accept_from(at_once);
  EXPECT_EQ(deferred.waiting(), 0U);
  ASSERT_EQ(send(silent.get(), pattern(1).data(), 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(receive_all(accept_from(deferred), 1), pattern(1));
}

TEST(Listener, APortInUseIsAnError) {
  const Listener listener(ListenerOptions{});
  EXPECT_EQ(thrown_errno([&] { Listener(ListenerOptions{.port = listener.port()}); }), EADDRINUSE);
}

TEST(Listener, AGroupSharesAPort) {
  const Listener first(ListenerOptions{.reuse_port = true});
  const Listener second(ListenerOptions{.port = first.port(), .reuse_port = true});
  EXPECT_EQ(second.port(), first.port());
  EXPECT_EQ(thrown_errno([&] { Listener(ListenerOptions{.port = first.port()}); }), EADDRINUSE)
      << "without the option nobody joins";
}

TEST(Listener, TheFirstOfAGroupJoinsNobody) {
  const Listener group(ListenerOptions{.reuse_port = true});
  EXPECT_EQ(thrown_errno([&] { Listener(ListenerOptions{.port = group.port()}); }), EADDRINUSE);
  const Listener everywhere(ListenerOptions{.address = "0.0.0.0", .reuse_port = true});
  EXPECT_EQ(thrown_errno([&] { Listener(ListenerOptions{.port = everywhere.port()}); }),
            EADDRINUSE);
  if (!has_ipv6()) return;
  const ListenerOptions both{.address = "::", .port = group.port()};
  EXPECT_EQ(thrown_errno([&] { Listener{both}; }), EADDRINUSE) << ":: takes IPv4 too";
  const Listener v6(ListenerOptions{.address = "::", .port = group.port(), .v6_only = true});
}

TEST(Listener, AGroupBeginsWithOneThatSharesItsPort) {
  Listener first(ListenerOptions{});
  const ListenerOptions next{.port = first.port(), .reuse_port = true};
  EXPECT_EQ(thrown_errno([&] { Listener{next}; }), EADDRINUSE);
  first.share_port();
  const Listener second(next);
  const Listener third(next);
  EXPECT_EQ(thrown_errno([&] { Listener(ListenerOptions{.port = first.port()}); }), EADDRINUSE)
      << "another server";
  // All three are in one group: each of them gets some of so many.
  std::vector<Fd> clients;
  for (unsigned number = 0; number < 200; ++number) clients.push_back(connect_to(first.port()));
  for (const Listener* one : std::initializer_list<const Listener*>{&first, &second, &third}) {
    EXPECT_GT(one->waiting(), 0U);
  }
}

TEST(Listener, ABadAddressIsNamed) {
  for (const char* address : {"localhost", "127.0.0.1.2", "", "1:2", "127.0.0.1:80"}) {
    try {
      const Listener listener(ListenerOptions{.address = address});
      ADD_FAILURE() << "no exception for '" << address << "'";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("'" + std::string(address) + "'"), std::string::npos)
          << error.what();
    }
  }
}

TEST(Listener, AnAddressOfSomebodyElseIsAnError) {
  int nonlocal = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_nonlocal_bind") >> nonlocal;
  if (nonlocal != 0) GTEST_SKIP() << "net.ipv4.ip_nonlocal_bind is on";
  // 198.51.100.0/24 is kept for documentation (RFC 5737).
  EXPECT_EQ(thrown_errno([&] { Listener(ListenerOptions{.address = "198.51.100.7"}); }),
            EADDRNOTAVAIL);
}

TEST(Listener, TunedOptionsAreInherited) {
  const Listener listener(ListenerOptions{.user_timeout_ms = 12'345});
  const Fd client = connect_to(listener.port());
  const Fd server = accept_from(listener);
  EXPECT_EQ(option(server.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(server.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 12'345);
  EXPECT_EQ(congestion(server.get()), "reno");
  int limit = 0;
  std::ifstream("/proc/sys/net/core/rmem_max") >> limit;
  // The kernel doubles what is asked for, socket(7).
  EXPECT_EQ(option(server.get(), SOL_SOCKET, SO_RCVBUF), 2 * std::min(limit, 1 << 20));
}

TEST(Listener, BufferSizesAreInherited) {
  const Listener listener(ListenerOptions{.send_buffer = 50'000, .receive_buffer = 60'000});
  const Fd client = connect_to(listener.port());
  const Fd server = accept_from(listener);
  EXPECT_EQ(option(server.get(), SOL_SOCKET, SO_SNDBUF), 100'000);
  EXPECT_EQ(option(server.get(), SOL_SOCKET, SO_RCVBUF), 120'000);
}

TEST(Listener, KnowsHowManyWait) {
  const Listener listener(ListenerOptions{});
  EXPECT_EQ(listener.waiting(), 0U);
  const Fd one = connect_to(listener.port());
  const Fd two = connect_to(listener.port());
  EXPECT_EQ(listener.waiting(), 2U);
  const Fd taken = accept_from(listener);
  EXPECT_EQ(listener.waiting(), 1U);
}

TEST(Listener, PlainIsADefaultSocketWithNoDelay) {
  const Listener listener(
      ListenerOptions{.socket_options = SocketOptions::plain, .user_timeout_ms = 12'345});
  const Fd client = connect_to(listener.port());
  const Fd server = accept_from(listener);
  const Fd by_default = accept_by_default();
  EXPECT_EQ(option(server.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(by_default.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  for (const int name : {SO_RCVBUF, SO_SNDBUF, SO_KEEPALIVE, SO_LINGER, SO_PRIORITY}) {
    EXPECT_EQ(option(server.get(), SOL_SOCKET, name), option(by_default.get(), SOL_SOCKET, name))
        << "SOL_SOCKET " << name;
  }
  for (const int name : {TCP_USER_TIMEOUT, TCP_CORK, TCP_DEFER_ACCEPT, TCP_NOTSENT_LOWAT}) {
    EXPECT_EQ(option(server.get(), IPPROTO_TCP, name), option(by_default.get(), IPPROTO_TCP, name))
        << "IPPROTO_TCP " << name;
  }
  EXPECT_EQ(congestion(server.get()), congestion(by_default.get()));
}

TEST(Listener, TheDefaultTimeoutIsTheKernels) {
  const Listener listener(ListenerOptions{.user_timeout_ms = 0});
  const Fd client = connect_to(listener.port());
  EXPECT_EQ(option(accept_from(listener).get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST(Listener, RenoIsForLoopbackOnly) {
  const Listener everywhere(ListenerOptions{.address = "0.0.0.0"});
  const Fd client = connect_to(everywhere.port());
  EXPECT_EQ(congestion(accept_from(everywhere).get()), congestion(accept_by_default().get()));
}

TEST(Listener, CongestionControlByName) {
  for (const SocketOptions options : {SocketOptions::plain, SocketOptions::tuned}) {
    const Listener listener(
        ListenerOptions{.address = "0.0.0.0", .socket_options = options, .congestion = "reno"});
    const Fd client = connect_to(listener.port());
    EXPECT_EQ(congestion(accept_from(listener).get()), "reno");
  }
  try {
    const Listener listener(ListenerOptions{.congestion = "no-such-thing"});
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what()).find("TCP_CONGESTION"), std::string::npos);
  }
}

TEST(IsLoopback, KnowsBothFamilies) {
  for (const char* address : {"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(is_loopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0", "128.0.0.1", "10.0.0.127", "::", "::2", "1::1", "", "localhost"}) {
    EXPECT_FALSE(is_loopback(address)) << address;
  }
}

}  // namespace
}  // namespace lab
