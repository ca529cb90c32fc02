// A worker with limits, as its clients see it. How often somebody was let in is compared with the
// time that has passed here: a slow machine lets in more.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "06-server/lib/limits/limit_counters.hpp"
#include "tests/server/server_process.hpp"
#include "tests/server/sources.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

WorkerOptions with(const LimitOptions& limits) {
  WorkerOptions options = WorkerThread::small();
  options.limits = limits;
  return options;
}

NetworkPrefix network(const std::string& text) {
  NetworkPrefix result;
  EXPECT_EQ(parse_network(text, result), "");
  return result;
}

TEST(Limits, EachOf250AddressesIsAClient) {
  WorkerThread worker(with({.rate = 1, .burst = 3}));
  unsigned refused = 0;
  for (unsigned number = 0; number < 250; ++number) {
    const Allowance allowance(1, 3);
    unsigned served = 0;
    for (unsigned time = 0; time < 5; ++time) {
      served += echoes(connect_from(source(number), worker.port())) ? 1U : 0U;
    }
    EXPECT_GE(served, allowance.least()) << source(number);
    EXPECT_LE(served, allowance.most()) << source(number);
    refused += 5 - served;
  }
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::accepted), 250U * 5);
  EXPECT_EQ(worker.stat(Stat::closed), 250U * 5) << "of these " << refused << " were refused";
  EXPECT_EQ(worker.stat(Stat::accept_errors), 0U);
}

TEST(Limits, MoreConnectionsThanAClientMayHaveAreRefused) {
  WorkerThread worker(with({.connections_max = 3}));
  std::vector<Fd> open;
  for (unsigned number = 0; number < 3; ++number) {
    open.push_back(connect_from(source(0), worker.port()));
    EXPECT_TRUE(echoes(open.back()));
  }
  EXPECT_FALSE(echoes(connect_from(source(0), worker.port())));
  EXPECT_TRUE(echoes(connect_from(source(1), worker.port()))) << "another client";
  open.pop_back();
  EXPECT_TRUE(eventually([&] { return echoes(connect_from(source(0), worker.port())); }));
  EXPECT_TRUE(echoes(open.front()));
}

TEST(Limits, WhoAsksTooOftenWaitsAndLosesNothing) {
  WorkerThread worker(with({.rate = 10, .burst = 3}));
  const Clock::time_point begin = Clock::now();
  const Fd client = connect_from(source(0), worker.port());
  // The first is the connection's own, two more conform, the next is answered and paid for.
  for (unsigned request = 0; request < 4; ++request) EXPECT_TRUE(echoes(client));
  EXPECT_TRUE(echoes(client));
  EXPECT_GE(Clock::now() - begin, 200ms) << "it was not made to wait";
  const Fd other = connect_from(source(1), worker.port());
  EXPECT_TRUE(echoes(other)) << "nobody else is";
}

TEST(Limits, ADrainDoesNotWaitForThoseThatAreMadeToWait) {
  WorkerOptions options = with({.rate = 1, .burst = 1});
  options.drain_deadline_ms = 300;
  WorkerThread worker(options);
  const Fd client = connect_from(source(0), worker.port());
  for (unsigned request = 0; request < 2; ++request) EXPECT_TRUE(echoes(client));
  EXPECT_TRUE(worker.finish());
}

TEST(Limits, ADeniedNetworkIsRefusedAndNobodyElse) {
  WorkerThread worker(with({.denied = {network("127.0.1.0/28")}}));
  for (unsigned number = 0; number < 30; ++number) {
    EXPECT_EQ(echoes(connect_from(source(number), worker.port())), number + 1 >= 16)
        << source(number);
  }
}

TEST(Limits, AFullTableIsFilledOneByOneAndLosesNobody) {
  WorkerOptions options = with({.connections_max = 1000});
  options.connections_max = 16;
  WorkerThread worker(options);
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<Fd> open;
    for (unsigned number = 0; number < 40; ++number) {
      open.push_back(connect_from(source(0), worker.port()));
    }
    // Those that wait in the backlog are served as others leave.
    for (Fd& client : open) {
      EXPECT_TRUE(echoes(client));
      client.reset();
    }
  }
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(worker.stat(Stat::accept_errors), 0U);
}

TEST(Limits, AFloodOfTheRefusedLeavesRoomForOthers) {
  WorkerOptions options = with({.denied = {network("127.0.1.1/32")}});
  options.connections_max = 32;
  WorkerThread worker(options);
  std::vector<Fd> flood;  // which never closes on its own
  for (unsigned number = 0; number < 200; ++number) {
    flood.push_back(connect_from(source(0), worker.port()));
  }
  EXPECT_TRUE(echoes(connect_from(source(1), worker.port())));
  for (const Fd& refused : flood) EXPECT_FALSE(echoes(refused));
}

// Each turn of its worker takes longer than a tick, while it is told so.
struct Slow : ProtocolDefaults {
  struct Shared {
    const std::atomic<bool>* busy;
    void begin_turn() const noexcept {
      if (*busy) std::this_thread::sleep_for(60ms);
    }
  };
  explicit Slow(Shared&) noexcept {}
  void on_bytes(auto& io, Segment bytes) noexcept { io.send(std::move(bytes)); }
};
static_assert(Protocol<Slow>);

TEST(Limits, AWorkerThatIsBehindServesThoseInsideAndLetsNobodyElseIn) {
  std::atomic<bool> busy = false;
  ProtocolThread<Slow> worker(with({.delay_max_ms = 20}), all_features(),
                              &ProtocolThread<Slow>::TestedWorker::run, {.busy = &busy});
  const auto comes = [&] { return echoes(connect_from(source(1), worker.port())); };
  Fd inside;
  EXPECT_TRUE(eventually([&] {  // a busy machine makes it wait, too
    inside = connect_from(source(0), worker.port());
    return echoes(inside);
  }));
  busy = true;
  EXPECT_TRUE(eventually([&] { return !comes(); }));
  EXPECT_TRUE(echoes(inside));
  busy = false;
  EXPECT_TRUE(eventually(comes)) << "it is in time again";
  EXPECT_TRUE(worker.finish());
}

// --- the server as a black box ---

std::vector<std::string> flags(std::vector<std::string> named) {
#ifdef LAB_TEST_PORTABLE
  named.insert(named.end(), {"--backend", "portable"});
#endif
  named.insert(named.end(), {"--port", "0", "--connections", "512", "--buffer-count", "256"});
  return named;
}

TEST(LimitsOfAServer, OnBothFamiliesOfOneListener) {
  ServerProcess server(
      flags({"--address", "::", "--workers", "1", "--rate", "1/s", "--burst", "3"}));
  const std::uint16_t port = server.port();
  for (const std::string& from : {std::string("::1"), source(0), source(1)}) {
    const Allowance allowance(1, 3);
    unsigned served = 0;
    for (unsigned time = 0; time < 6; ++time) {
      served += echoes(connect_from(from, port)) ? 1U : 0U;
    }
    EXPECT_GE(served, allowance.least()) << from;
    EXPECT_LE(served, allowance.most()) << from;
  }
}

TEST(LimitsOfAServer, AreExactOverItsWorkersWhenTheyAreSteeredBySource) {
  for (const char* address : {"127.0.0.1", "::"}) {
    ServerProcess server(flags({"--address", address, "--workers", "2", "--no-pin", "--steer",
                                "source", "--rate", "1/s", "--burst", "4"}));
    const std::uint16_t port = server.port();
    ASSERT_TRUE(server.logs("steered by source"));
    for (unsigned number = 0; number < 40; ++number) {
      const Allowance allowance(1, 4);
      unsigned served = 0;
      for (unsigned time = 0; time < 12; ++time) {
        served += echoes(connect_from(source(number), port)) ? 1U : 0U;
      }
      EXPECT_GE(served, allowance.least()) << source(number);
      EXPECT_LE(served, allowance.most()) << source(number) << " has a burst at each worker";
    }
  }
}

TEST(LimitsOfAServer, AreCountedAndSaid) {
  const StatsJson stats;
  ServerProcess server(flags({"--workers", "1", "--max-connections-per-client", "1", "--deny",
                              "127.0.1.3", "--stats-json", stats.path()}));
  const std::uint16_t port = server.port();
  EXPECT_TRUE(server.logs("limits: 1 connections a client, 1 networks denied"));
  const Fd first = connect_from(source(0), port);
  EXPECT_TRUE(echoes(first));
  EXPECT_FALSE(echoes(connect_from(source(0), port)));
  for (unsigned time = 0; time < 2; ++time) EXPECT_FALSE(echoes(connect_from(source(2), port)));
  server.signal(SIGUSR1);
  EXPECT_TRUE(stats.shows([](const Json& line) {
    const Json& refused = line["limit_refused"];
    return line["limit_connections"].number() == 1 && refused["connections"].number() == 1 &&
           refused["denied"].number() == 2 && refused["rate"].number() == 0;
  }));
  server.signal(SIGTERM);
  ASSERT_TRUE(server.wait());
  EXPECT_NE(server.log().find("limit_refused denied: 2, connections: 1"), std::string::npos)
      << server.log();
}

TEST(LimitsOfAServer, WithoutAnyNothingOfThemIsSaid) {
  const StatsJson stats;
  ServerProcess server(flags({"--workers", "1", "--stats-json", stats.path()}));
  EXPECT_TRUE(echoes(connect_from(source(0), server.port())));
  server.signal(SIGUSR1);
  EXPECT_TRUE(stats.shows([](const Json& line) { return !line.has("limit_refused"); }));
  EXPECT_EQ(server.log().find("limit"), std::string::npos) << server.log();
}

}  // namespace
}  // namespace lab
