// A worker that dials out, in a thread of the test, between clients and upstreams of the test's.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "01-core/lib/check.hpp"
#include "06-server/proxy/balance.hpp"
#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

SocketAddress loopback(std::uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return SocketAddress::from(reinterpret_cast<const sockaddr&>(place), sizeof place);
}

// The proxy under test; its counters are the test's to read.
class TestedProxy {
 public:
  struct Setup {
    std::vector<SocketAddress> upstreams;
    Balance balance = Balance::round_robin;
    std::uint32_t connect_timeout_ms = 60'000;
    bool proxy_protocol = false;
    WorkerOptions worker = ProtocolThread<Proxy>::small();
  };
  explicit TestedProxy(const Setup& setup)
      : counters_(setup.upstreams.size() * 2 + 3),
        counted(counters_),
        thread(setup.worker, all_features(), &Worker<Proxy>::run,
               std::make_unique<Proxy::Shared>(SessionOptions{.frames_max = 256},
                                               Upstreams(setup.upstreams, setup.balance, 1'000'000),
                                               ProxyCounters(counters_), setup.connect_timeout_ms,
                                               setup.proxy_protocol)) {}

 private:
  std::vector<Counter> counters_;

 public:
  ProxyCounters counted;
  ProtocolThread<Proxy> thread;
};

// An upstream of a few lines: blocking sockets.
class RawUpstream {
 public:
  std::uint16_t port() const { return listener_.port(); }
  SocketAddress address() const { return loopback(port()); }
  Fd accept() {
    pollfd comes{.fd = listener_.fd(), .events = POLLIN, .revents = 0};
    if (poll(&comes, 1, 60'000) != 1) throw Failure("nobody was sent to the upstream");
    return Fd(check_errno(::accept(listener_.fd(), nullptr, nullptr), "accept"));
  }

 private:
  Listener listener_{{.receive_buffer = 64 << 10}};
};

// Until so many bytes have come, the end ("." is added), or a reset ("!" is added).
std::string hear(int fd, std::size_t bytes) {
  std::string heard;
  std::array<char, 65536> piece;
  while (heard.size() < bytes) {
    pollfd comes{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&comes, 1, 60'000) != 1) throw Failure("nothing comes");
    const ssize_t count = recv(fd, piece.data(), std::min(piece.size(), bytes - heard.size()), 0);
    if (count <= 0) return heard + (count == 0 ? "." : "!");
    heard.append(piece.data(), static_cast<std::size_t>(count));
  }
  return heard;
}

void say(int fd, std::string_view text) {
  ASSERT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

TEST(ProxyWorker, WhatGoesInComesOutOfTheUpstreamAndBack) {
  ProtocolThread<Echo> echo;
  TestedProxy proxy({.upstreams = {loopback(echo.port())}});
  std::vector<Stream> clients;
  for (unsigned i = 0; i < 40; ++i) clients.push_back(connect_to(proxy.thread.port()));
  for (Stream& client : clients) ping(client, 100'000);
  for (Stream& client : clients) client.finish_and_check(soon());
  EXPECT_EQ(proxy.counted.connected(0).get(), 40U);
  EXPECT_TRUE(proxy.thread.finish());
  EXPECT_EQ(proxy.thread.stat(Stat::accepted), 40U);
  EXPECT_EQ(proxy.thread.stat(Stat::closed), 40U);
  EXPECT_EQ(proxy.thread.stat(Stat::ring_errors), 0U) << "each socket option was taken";
  EXPECT_EQ(echo.stat(Stat::accepted), 40U);
  EXPECT_EQ(proxy.counted.lost().get(), 0U);
}

// How far the dialler may ever open its window, which it says in its SYN: a fixed receive buffer
// limits that. The factor is 2 to the power of this.
unsigned window_scale_of_peer(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  check_errno(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
  return info.tcpi_snd_wscale;
}

TEST(ProxyWorker, WhatItDialsHasTheOptionsOfWhatItAccepts) {
  if (!all_features().has(Feature::slot_options)) GTEST_SKIP() << "options on slots: Linux 6.7";
  RawUpstream upstream;
  TestedProxy::Setup setup{.upstreams = {upstream.address()}};
  setup.worker.dial = {.receive_buffer = 8192, .send_buffer = 64 << 10, .congestion = "reno"};
  unsigned small = 0;
  {
    TestedProxy proxy(setup);
    const Stream client = connect_to(proxy.thread.port());
    small = window_scale_of_peer(upstream.accept().get());
    EXPECT_TRUE(proxy.thread.finish());
    EXPECT_EQ(proxy.thread.stat(Stat::ring_errors), 0U) << "each socket option was taken";
  }
  setup.worker.dial = {.receive_buffer = 1 << 20};
  TestedProxy proxy(setup);
  const Stream client = connect_to(proxy.thread.port());
  EXPECT_LT(small, window_scale_of_peer(upstream.accept().get()));
}

// A client that has said all, and the upstream's side of it, which has heard that.
struct HalfEnded {
  HalfEnded(TestedProxy& proxy, RawUpstream& upstream)
      : client(connect_to(proxy.thread.port())), other(upstream.accept()) {
    say(client.fd(), "question");
    client.finish();
    EXPECT_EQ(hear(other.get(), 100), "question.") << "the end came through";
  }
  Stream client;
  Fd other;
};

TEST(ProxyWorker, HalvesEndByThemselves) {
  RawUpstream upstream;
  TestedProxy proxy({.upstreams = {upstream.address()}});
  {
    const auto& [client, other] = HalfEnded(proxy, upstream);
    say(other.get(), "late answer");
    EXPECT_EQ(hear(client.fd(), 11), "late answer") << "the other direction goes on";
    shutdown(other.get(), SHUT_WR);
    EXPECT_EQ(hear(client.fd(), 1), ".");
  }
  {
    Stream client = connect_to(proxy.thread.port());
    const Fd other = upstream.accept();
    say(other.get(), "a greeting");
    shutdown(other.get(), SHUT_WR);
    EXPECT_EQ(hear(client.fd(), 100), "a greeting.");
    say(client.fd(), "goes on");
    EXPECT_EQ(hear(other.get(), 7), "goes on");
    client.finish();
    EXPECT_EQ(hear(other.get(), 1), ".");
  }
  EXPECT_TRUE(proxy.thread.finish());
  EXPECT_EQ(proxy.counted.lost().get(), 0U);
}

TEST(ProxyWorker, AResetOfOneSideIsOneOfTheOther) {
  RawUpstream upstream;
  TestedProxy proxy({.upstreams = {upstream.address()}});
  {
    Stream client = connect_to(proxy.thread.port());
    const Fd other = upstream.accept();
    say(client.fd(), "hello");
    EXPECT_EQ(hear(other.get(), 5), "hello");
    client.close_with_reset();
    EXPECT_EQ(hear(other.get(), 1), "!");
  }
  {
    Stream client = connect_to(proxy.thread.port());
    Fd other = upstream.accept();
    say(other.get(), "hello");
    EXPECT_EQ(hear(client.fd(), 5), "hello");
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ASSERT_EQ(setsockopt(other.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    other.reset();
    EXPECT_EQ(hear(client.fd(), 1), "!") << "an end would say that all has come";
  }
  EXPECT_TRUE(proxy.thread.finish());
  EXPECT_EQ(proxy.counted.lost().get(), 2U);
}

TEST(ProxyWorker, WhoRefusesIsFollowedByTheNextAndThenLeftAlone) {
  ProtocolThread<Echo> echo;
  const SocketAddress nobody = loopback(1);  // tcpmux: nobody has it
  TestedProxy proxy({.upstreams = {nobody, loopback(echo.port())}});
  for (unsigned i = 0; i < 6; ++i) {
    Stream client = connect_to(proxy.thread.port());
    ping(client);
    client.finish_and_check(soon());
  }
  EXPECT_EQ(proxy.counted.failed(0).get(), 1U);
  EXPECT_EQ(proxy.counted.connected(1).get(), 6U);
  EXPECT_EQ(proxy.counted.unserved().get(), 0U);
  EXPECT_TRUE(proxy.thread.finish());
}

TEST(ProxyWorker, WhereAllAreDownTheClientIsClosedAndCounted) {
  TestedProxy proxy({.upstreams = {loopback(1), loopback(2)}});
  for (unsigned i = 0; i < 3; ++i) {
    Stream client = connect_to(proxy.thread.port());
    EXPECT_EQ(hear(client.fd(), 1), ".");
  }
  EXPECT_EQ(proxy.counted.unserved().get(), 3U);
  EXPECT_EQ(proxy.counted.failed(0).get() + proxy.counted.failed(1).get(), 6U);
  EXPECT_TRUE(proxy.thread.finish());
}

// A listener whose backlog is full answers nobody: Linux drops the SYN.
TEST(ProxyWorker, WhoDoesNotAnswerIsGivenUpInTime) {
  Listener full({.backlog = 0});
  std::vector<Fd> fillers;
  for (unsigned i = 0; i < 4; ++i) {
    fillers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SocketAddress place = loopback(full.port());
    connect(fillers.back().get(), place.any(), place.size());
  }
  ProtocolThread<Echo> echo;
  TestedProxy proxy(
      {.upstreams = {loopback(full.port()), loopback(echo.port())}, .connect_timeout_ms = 100});
  Stream client = connect_to(proxy.thread.port());
  ping(client, 300'000);  // what it says meanwhile waits, and arrives in order
  client.finish_and_check(soon());
  EXPECT_EQ(proxy.counted.timeouts().get(), 1U);
  EXPECT_EQ(proxy.counted.connected(1).get(), 1U);
  EXPECT_TRUE(proxy.thread.finish());
}

TEST(ProxyWorker, AClientThatGoesWhileItIsDialledLeavesNothing) {
  Listener full({.backlog = 0});
  std::vector<Fd> fillers;
  for (unsigned i = 0; i < 4; ++i) {
    fillers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SocketAddress place = loopback(full.port());
    connect(fillers.back().get(), place.any(), place.size());
  }
  TestedProxy proxy({.upstreams = {loopback(full.port())}});
  {
    Stream client = connect_to(proxy.thread.port());
    say(client.fd(), "is anybody there?");
    ASSERT_TRUE(eventually([&] { return proxy.thread.stat(Stat::accepted) == 1; }));
    client.close_with_reset();
  }
  ASSERT_TRUE(eventually([&] { return proxy.thread.stat(Stat::closed) == 1; }));
  EXPECT_TRUE(proxy.thread.finish());
}

// What one side does not take the other one cannot send: neither buffers nor the heap give way.
TEST(ProxyWorker, AReaderThatStallsStopsTheWriterInBothDirections) {
  for (const bool upstream_stalls : {true, false}) {
    RawUpstream upstream;
    TestedProxy::Setup setup{.upstreams = {upstream.address()}};
    setup.worker.buffer_count = 64;
    TestedProxy proxy(setup);
    Stream client = connect_to(proxy.thread.port());
    Fd other = upstream.accept();
    const int from = upstream_stalls ? client.fd() : other.get();
    const int to = upstream_stalls ? other.get() : client.fd();
    std::string sent;
    const auto push = [&] {
      std::string piece(10'000, static_cast<char>('a' + sent.size() / 10'000 % 26));
      const ssize_t count = send(from, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) sent.append(piece, 0, static_cast<std::size_t>(count));
      return count > 0;
    };
    // Until for a while nothing is taken any more.
    for (unsigned refused = 0; refused < 100 && sent.size() < (std::size_t{64} << 20);) {
      if (push()) {
        refused = 0;
      } else {
        ++refused;
        std::this_thread::sleep_for(5ms);
      }
    }
    EXPECT_LT(sent.size(), std::size_t{32} << 20) << "it takes without an end";
    EXPECT_LE(proxy.thread.stat(Stat::bytes_in) - proxy.thread.stat(Stat::bytes_out), 64U * 4096U);
    EXPECT_EQ(proxy.thread.stat(Stat::shed), 0U);
    EXPECT_TRUE(hear(to, sent.size()) == sent) << "and then everything comes, in order";
    // The other direction was not held up by it, and is not now.
    say(to, "still here");
    EXPECT_EQ(hear(from, 10), "still here");
    client.close();
    other.reset();
    EXPECT_TRUE(proxy.thread.finish());
  }
}

// The echo behind it sends only what it was sent: each direction waits for the other.
TEST(ProxyWorker, FewBuffersAreNoDeadlock) {
  ProtocolThread<Echo> echo;
  TestedProxy::Setup setup{.upstreams = {loopback(echo.port())}};
  setup.worker.buffer_count = 8;
  setup.worker.buffer_size = 1024;
  TestedProxy proxy(setup);
  std::vector<Stream> clients;
  for (unsigned i = 0; i < 8; ++i) clients.push_back(connect_to(proxy.thread.port()));
  for (Stream& client : clients) ping(client, 1'000'000);
  for (Stream& client : clients) client.finish_and_check(soon());
  EXPECT_TRUE(proxy.thread.finish());
}

TEST(ProxyWorker, TheUpstreamReadsWhoseClientItIs) {
  if (!all_features().has(Feature::install_fd)) {
    GTEST_SKIP() << "SKIP: install-fd (Linux 6.8) does not work here: the line says UNKNOWN";
  }
  RawUpstream upstream;
  TestedProxy proxy({.upstreams = {upstream.address()}, .proxy_protocol = true});
  Stream client = connect_to(proxy.thread.port());
  say(client.fd(), "hello");
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  Fd other = upstream.accept();
  const std::string line = "PROXY TCP4 127.0.0.1 127.0.0.1 " + std::to_string(ntohs(own.sin_port)) +
                           " " + std::to_string(proxy.thread.port()) + "\r\nhello";
  EXPECT_EQ(hear(other.get(), line.size()), line);
  client.close();
  EXPECT_EQ(hear(other.get(), 1), ".");
  other.reset();
  EXPECT_TRUE(proxy.thread.finish());
}

// Whether TCP has ended it: a receive would only say the end that came before.
bool is_lost(int fd) {
  pollfd lost{.fd = fd, .events = 0, .revents = 0};
  if (poll(&lost, 1, 60'000) != 1) throw Failure("nobody told");
  return (lost.revents & POLLERR) != 0;
}

TEST(ProxyWorker, AClientThatIsResetAfterItsEndIsLostToTheUpstream) {
  RawUpstream upstream;
  TestedProxy proxy({.upstreams = {upstream.address()}});
  auto [client, other] = HalfEnded(proxy, upstream);
  client.close_with_reset();
  EXPECT_TRUE(!all_features().has(Feature::slot_options) || is_lost(other.get()));
  EXPECT_TRUE(proxy.thread.finish());
}

TEST(ProxyWorker, AnUpstreamThatIsResetAfterItsEndIsLostToTheClient) {
  RawUpstream upstream;
  TestedProxy proxy({.upstreams = {upstream.address()}});
  const Stream client = connect_to(proxy.thread.port());
  Fd other = upstream.accept();
  shutdown(other.get(), SHUT_WR);
  EXPECT_EQ(hear(client.fd(), 1), ".");
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(setsockopt(other.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  other.reset();
  EXPECT_TRUE(!all_features().has(Feature::slot_options) || is_lost(client.fd()));
  EXPECT_TRUE(proxy.thread.finish());
}

// What is asked goes on in both directions; only the client pays for it.
TEST(ProxyWorker, ARateHoldsTheClientBack) {
  ProtocolThread<Echo> echo;
  TestedProxy::Setup setup{.upstreams = {loopback(echo.port())}};
  setup.worker.limits.rate = 20;
  setup.worker.limits.burst = 5;
  TestedProxy proxy(setup);
  Stream client = connect_to(proxy.thread.port());
  const auto begin = std::chrono::steady_clock::now();
  for (int question = 0; question < 15; ++question) ping(client, 10);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
  client.finish_and_check(soon());
  EXPECT_TRUE(proxy.thread.finish());
}

TEST(ProxyWorker, ADrainEndsPairsThatRestAndWaitsForAnswersThatAreDue) {
  RawUpstream upstream;
  TestedProxy::Setup setup{.upstreams = {upstream.address()}};
  setup.worker.drain_deadline_ms = 120'000;
  TestedProxy proxy(setup);
  Stream rests = connect_to(proxy.thread.port());
  const Fd rests_there = upstream.accept();
  Stream asks = connect_to(proxy.thread.port());
  say(asks.fd(), "question");
  const Fd asks_there = upstream.accept();
  EXPECT_EQ(hear(asks_there.get(), 8), "question");
  proxy.thread.drain();
  EXPECT_EQ(hear(rests.fd(), 1), ".");
  EXPECT_EQ(hear(rests_there.get(), 1), ".");
  std::this_thread::sleep_for(600ms);  // longer than a connection at rest is left
  say(asks_there.get(), "answer");
  EXPECT_EQ(hear(asks.fd(), 100), "answer.");
  EXPECT_EQ(hear(asks_there.get(), 1), ".");
  EXPECT_TRUE(proxy.thread.join());
  EXPECT_EQ(proxy.thread.stat(Stat::drain_resets), 0U);
}

TEST(ProxyWorker, ADrainWaitsForNoAnswerToTheLineThatNamesTheClient) {
  RawUpstream upstream;
  TestedProxy::Setup setup{.upstreams = {upstream.address()}, .proxy_protocol = true};
  setup.worker.drain_deadline_ms = 120'000;
  TestedProxy proxy(setup);
  const Stream client = connect_to(proxy.thread.port());
  const Fd other = upstream.accept();
  EXPECT_EQ(hear(other.get(), 5), "PROXY");
  EXPECT_TRUE(proxy.thread.finish());
  EXPECT_EQ(hear(client.fd(), 1), ".");
  EXPECT_EQ(proxy.thread.stat(Stat::drain_resets), 0U);
}

// It has sent its end and no answer: none can come.
TEST(ProxyWorker, ADrainWaitsForNoAnswerOfAnUpstreamThatHasEnded) {
  RawUpstream upstream;
  TestedProxy::Setup setup{.upstreams = {upstream.address()}};
  setup.worker.drain_deadline_ms = 120'000;
  TestedProxy proxy(setup);
  const Stream client = connect_to(proxy.thread.port());
  say(client.fd(), "question");
  const Fd other = upstream.accept();
  EXPECT_EQ(hear(other.get(), 8), "question");
  shutdown(other.get(), SHUT_WR);
  EXPECT_EQ(hear(client.fd(), 1), ".");
  EXPECT_TRUE(proxy.thread.finish());
  EXPECT_EQ(proxy.thread.stat(Stat::drain_resets), 0U);
}

TEST(ProxyWorker, TheIdleTimeoutEndsBothSides) {
  RawUpstream upstream;
  TestedProxy::Setup setup{.upstreams = {upstream.address()}};
  setup.worker.idle_timeout_ms = 100;
  TestedProxy proxy(setup);
  const Stream client = connect_to(proxy.thread.port());
  const Fd other = upstream.accept();
  EXPECT_EQ(hear(client.fd(), 1), ".");
  EXPECT_EQ(hear(other.get(), 1), ".");
  EXPECT_TRUE(proxy.thread.finish());
}

// Half of the slots are the clients': each of them finds one for its upstream.
TEST(ProxyWorker, AFullTableHasPlacesForTheUpstreams) {
  ProtocolThread<Echo> echo;
  TestedProxy::Setup setup{.upstreams = {loopback(echo.port())}};
  setup.worker.connections_max = 16;
  TestedProxy proxy(setup);
  std::vector<Stream> clients;
  for (unsigned i = 0; i < 12; ++i) clients.push_back(connect_to(proxy.thread.port()));
  for (unsigned i = 0; i < 8; ++i) ping(clients[i]);
  EXPECT_EQ(proxy.thread.stat(Stat::accepted), 8U) << "the others wait in the backlog";
  for (unsigned i = 0; i < 8; ++i) clients[i].finish_and_check(soon());
  for (unsigned i = 8; i < 12; ++i) ping(clients[i]);
  for (unsigned i = 8; i < 12; ++i) clients[i].finish_and_check(soon());
  EXPECT_EQ(proxy.counted.unserved().get(), 0U);
  EXPECT_TRUE(proxy.thread.finish());
}

}  // namespace
}  // namespace lab
