// The proxy as somebody runs it, with echo servers behind it.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "tests/refuse_calls.hpp"
#include "tests/server/server_process.hpp"
#include "tests/server/support.hpp"

namespace lab {
namespace {

ServerProcess::Setup proxy_to(const std::vector<std::uint16_t>& ports,
                              const std::vector<std::string>& more = {},
                              const std::string& host = "127.0.0.1") {
  ServerProcess::Setup setup{.flags = {"--port", "0", "--workers", "1", "--connections", "512"},
                             .program = LAB_PROXY};
  for (const std::uint16_t port : ports) {
    setup.flags.insert(setup.flags.end(), {"--to", host + ":" + std::to_string(port)});
  }
  setup.flags.insert(setup.flags.end(), more.begin(), more.end());
  return setup;
}

ServerProcess::Setup echo(const std::string& address = "127.0.0.1") {
  return {.flags = {"--port", "0", "--workers", "1", "--connections", "512", "--address", address}};
}

TEST(ProxyProgram, AnUpstreamThatIsKilledLosesItsConnectionsAndNoOther) {
  auto one = std::make_unique<ServerProcess>(echo());
  ServerProcess two(echo());
  const StatsJson stats;
  ServerProcess proxy(proxy_to({one->port(), two.port()},
                               {"--stats-json", stats.path(), "--stats-interval-ms", "50"}));
  std::vector<Stream> clients;
  for (unsigned i = 0; i < 20; ++i) {
    clients.push_back(connect_to(proxy.port()));
    ping(clients.back(), 50'000);
  }
  for (Stream& client : clients) client.send(5'000, soon());  // what is on its way is lost, too
  // Stopped first, so that none ends in order; asked for first, for a supervisor that is gone has
  // no workers.
  const std::vector<pid_t> workers = one->workers();
  for (const pid_t worker : workers) kill(worker, SIGSTOP);
  one->signal(SIGKILL);
  for (const pid_t worker : workers) kill(worker, SIGKILL);
  unsigned lost = 0;
  for (unsigned i = 0; i < 20; ++i) {
    try {
      clients[i].receive(5'000, soon());
      ping(clients[i], 50'000);
    } catch (const Failure&) {
      ++lost;
      EXPECT_EQ(i % 2, 0U) << "each in turn: the odd ones are with the other upstream";
    }
  }
  EXPECT_GT(lost, 0U);
  one.reset();
  for (unsigned i = 0; i < 10; ++i) {
    Stream client = connect_to(proxy.port());
    ping(client, 50'000);
    client.finish_and_check(soon());
  }
  EXPECT_TRUE(stats.shows([&](const Json& line) {
    const Json& connected = line["proxy_connected"];
    double sum = 0;
    for (const auto& [name, count] : std::get<JsonObject>(connected.value)) sum += count.number();
    return sum == 30 && line["proxy_unserved"].number() == 0;
  })) << proxy.log();
  clients.clear();
  expect_drains(proxy);
}

TEST(ProxyProgram, TheFewestConnections) {
  ServerProcess one(echo());
  ServerProcess two(echo());
  const StatsJson stats;
  ServerProcess proxy(
      proxy_to({one.port(), two.port()},
               {"--balance", "fewest", "--stats-json", stats.path(), "--stats-interval-ms", "50"}));
  std::vector<Stream> clients;
  for (unsigned i = 0; i < 10; ++i) {
    clients.push_back(connect_to(proxy.port()));
    ping(clients.back());
  }
  EXPECT_TRUE(stats.shows([&](const Json& line) {
    const Json& connected = line["proxy_connected"];
    return connected["127.0.0.1:" + std::to_string(one.port())].number() == 5 &&
           connected["127.0.0.1:" + std::to_string(two.port())].number() == 5;
  })) << proxy.log();
  clients.clear();
  expect_drains(proxy);
}

TEST(ProxyProgram, IPv6OnBothSides) {
  ServerProcess server(echo("::1"));
  ServerProcess proxy(proxy_to({server.port()}, {"--address", "::1"}, "[::1]"));
  const std::string port = std::to_string(proxy.port());
  EXPECT_TRUE(proxy.logs("try: nc ::1 " + port + ", or curl -i http://[::1]:" + port + "/ "));
  Stream client = connect_to(proxy.port(), {}, "::1");
  ping(client, 100'000);
  client.finish_and_check(soon());
  expect_drains(proxy);
}

// Two with the same name would be one counter twice.
TEST(ProxyProgram, AnAddressThatIsNamedTwiceCountsOnceAndTheLogSaysSo) {
  ServerProcess server(echo());
  ServerProcess proxy(proxy_to({server.port(), server.port()}));
  EXPECT_TRUE(proxy.logs("127.0.0.1:" + std::to_string(server.port()) +
                         " is an upstream already, and counts once; try: nc 127.0.0.1 "))
      << proxy.log();
  Stream client = connect_to(proxy.port());
  ping(client);
  client.finish_and_check(soon());
  expect_drains(proxy);
}

TEST(ProxyProgram, WhatIsWrongIsSaidWithItsCure) {
  const auto refusal = [](const std::vector<std::string>& flags) {
    ServerProcess proxy({.flags = flags, .program = LAB_PROXY});
    const std::optional<Exit> end = proxy.wait();
    EXPECT_TRUE(end && end->exited && end->code == 2) << proxy.log();
    return proxy.log();
  };
  EXPECT_NE(refusal({"--port", "0"}).find("--to"), std::string::npos);
  const std::pair<const char*, const char*> addresses[] = {
      {"127.0.0.1", "proxy: --to: 127.0.0.1 has no port. Cure: HOST:PORT, as in 127.0.0.1:9001\n"},
      {"127.0.0.1:8000", "is where this proxy listens itself (127.0.0.1:8000)"}};
  for (const auto& [to, words] : addresses) {
    EXPECT_NE(refusal({"--to", to}).find(words), std::string::npos) << to;
  }
  for (const char* flag : {"--tls", "--tls-cert"}) {
    const std::string words = refusal({flag, "self-signed", "--to", "127.0.0.1:1"});
    EXPECT_NE(words.find("proxy: --tls: the proxy passes bytes on as they are, TLS included"),
              std::string::npos);
  }
  EXPECT_NE(refusal({"--balnce", "fewest"}).find("Did you mean --balance?"), std::string::npos);
  EXPECT_NE(refusal({"--to", "127.0.0.1:1", "--balance", "best"}).find("round-robin"),
            std::string::npos);
  EXPECT_NE(refusal({"--to", "127.0.0.1:1", "--proxy-protocol", "v2"}).find("v1"),
            std::string::npos);
  EXPECT_NE(refusal({"--to", "127.0.0.1:1", "--connections", "1"}).find("a client takes two"),
            std::string::npos);
  EXPECT_NE(refusal({"--to", "127.0.0.1:1", "--backend", "portable"}).find("Cure: "),
            std::string::npos);
  std::vector<std::string> many;
  for (unsigned i = 1; i <= 65; ++i) {
    many.insert(many.end(), {"--to", "127.0.0.1:" + std::to_string(i)});
  }
  EXPECT_NE(refusal(many).find("too many"), std::string::npos);
}

// A server that answers without having read the question, and closes: its kernel resets. What came
// before the reset is the client's.
TEST(ProxyProgram, WhatCameBeforeAResetArrives) {
  constexpr int rounds = 20;
  const std::string answer = "413 too large";
  const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener.get(), rounds), 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  ServerProcess proxy(proxy_to({ntohs(address.sin_port)}));
  const std::vector<char> question(20'000, 'q');
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    const Stream client = connect_to(proxy.port());
    ASSERT_EQ(send(client.fd(), question.data(), question.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(question.size()));
    Fd upstream(accept(listener.get(), nullptr, nullptr));
    char unread = 0;
    ASSERT_EQ(recv(upstream.get(), &unread, 1, MSG_PEEK), 1);
    send(upstream.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    upstream.reset();
    pollfd bytes{.fd = client.fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&bytes, 1, 30'000), 1);
    std::array<char, 64> heard;
    const ssize_t count = recv(client.fd(), heard.data(), heard.size(), 0);
    EXPECT_EQ(std::string(heard.data(), static_cast<std::size_t>(std::max(count, ssize_t{0}))),
              answer);
  }
  expect_drains(proxy);
}

// Where other servers serve on libuv.
TEST(ProxyProgram, WithoutIoUringItDoesNotStartAndSaysWhy) {
  ServerProcess::Setup setup = proxy_to({1});
  setup.before = [] { refuse_calls({SYS_io_uring_setup}, EPERM); };
  ServerProcess proxy(setup);
  const std::optional<Exit> end = proxy.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 1);
  EXPECT_NE(proxy.log().find("proxy: cannot start: "), std::string::npos) << proxy.log();
  EXPECT_NE(proxy.log().find("Cure: "), std::string::npos) << proxy.log();
}

}  // namespace
}  // namespace lab
