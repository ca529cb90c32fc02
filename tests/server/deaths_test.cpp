// Workers that die, are killed or stop: the others and the waiting clients never suffer from it.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "05-performance/lib/core_thread.hpp"
#include "tests/server/server_process.hpp"

namespace lab {
namespace {

std::vector<std::string> flags(const char* steering, const StatsJson& stats) {
  return {"--port",        "0",          "--workers",           "2",    "--steer",        steering,
          "--connections", "256",        "--buffer-size",       "1024", "--buffer-count", "1024",
          "--stats-json",  stats.path(), "--stats-interval-ms", "100"};
}

double accepted(const Json& line, std::size_t worker) {
  return line["workers"].array()[worker]["accepted"].number();
}

// A client whose connection lands at the worker of that CPU.
Stream connect_from(int cpu, std::uint16_t port) {
  const OnCpu here(cpu);
  return connect_to(port);
}

class Deaths : public testing::Test {
 protected:
  void SetUp() override {
    cpus_ = allowed_cpus();
    if (cpus_.size() != 2) GTEST_SKIP() << "needs two CPUs, one for each of two workers";
  }
  std::vector<int> cpus_;
};

TEST_F(Deaths, SteeredByCpuAClientLandsAtTheWorkerOfItsCpu) {
  const StatsJson stats;
  ServerProcess server(flags("cpu", stats));
  const std::uint16_t port = server.port();
  EXPECT_TRUE(server.logs("steered by CPU"));
  for (unsigned number = 0; number < 10; ++number) {
    Stream client = connect_from(cpus_[0], port);
    ping(client);
  }
  for (unsigned number = 0; number < 30; ++number) {
    Stream client = connect_from(cpus_[1], port);
    ping(client);
  }
  EXPECT_TRUE(stats.shows([](const Json& line) { return line["accepted"].number() >= 40; }));
  const Json last = stats.lines().back();
  EXPECT_EQ(accepted(last, 0), 10);
  EXPECT_EQ(accepted(last, 1), 30);
}

TEST_F(Deaths, AKilledWorkerTakesNobodyElseAlong) {
  const StatsJson stats;
  ServerProcess server(flags("cpu", stats));
  const std::uint16_t port = server.port();
  Stream kept = connect_from(cpus_[0], port);
  ping(kept);
  Stream lost = connect_from(cpus_[1], port);
  ping(lost);
  const pid_t victim = server.worker_on(cpus_[1]);
  ASSERT_GT(victim, 0);

  // Stopped first, so that these wait in its backlog when it dies.
  ServerProcess::stop(victim);
  std::vector<Stream> waiting;
  for (unsigned number = 0; number < 5; ++number) {
    waiting.push_back(connect_from(cpus_[1], port));
    waiting.back().send(100, soon());
  }
  ASSERT_EQ(kill(victim, SIGKILL), 0);
  ping(kept, 10'000);
  EXPECT_TRUE(server.logs(fmt::format("worker 1 (process {}) was ended by signal 9", victim)));
  EXPECT_NE(server.log().find(", 1 connection with it; the next one starts at once"),
            std::string::npos)
      << server.log();
  EXPECT_TRUE(server.logs("worker 1 serves again"));
  for (Stream& client : waiting) client.receive(100, soon());
  for (const int cpu : cpus_) {
    Stream fresh = connect_from(cpu, port);
    ping(fresh);
  }
  ping(kept, 10'000);
  EXPECT_NE(lost.wait(POLLIN, soon()), 0) << "its connection ends and does not hang";

  // 1 + 1 + 5 + 2 clients, of whom `lost` died with its worker.
  EXPECT_TRUE(stats.shows([](const Json& line) {
    return line["accepted"].number() == 9 && line["connections"].number() == 6;
  }));
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 0);
}

TEST_F(Deaths, AStoppedWorkerIsReplacedAndItsClientsAreServed) {
  const StatsJson stats;
  ServerProcess server(flags("cpu", stats));
  const std::uint16_t port = server.port();
  Stream kept = connect_from(cpus_[0], port);
  ping(kept);
  const pid_t victim = server.worker_on(cpus_[1]);
  ASSERT_GT(victim, 0);
  const Clock::time_point start = Clock::now();
  ServerProcess::stop(victim);
  Stream waiting = connect_from(cpus_[1], port);
  waiting.send(100, soon());
  ping(kept);
  EXPECT_TRUE(server.logs("gave no sign of life"));
  EXPECT_GE(Clock::now() - start, 800ms);
  waiting.receive(100, soon());
  ping(kept);
}

TEST_F(Deaths, AWorkerStoppedWhileItStartsIsReplacedToo) {
  const StatsJson stats;
  ServerProcess server(flags("cpu", stats));
  const std::uint16_t port = server.port();
  const std::vector<pid_t> first = server.workers();
  ASSERT_EQ(kill(first[1], SIGKILL), 0);
  // Its successor is stopped as soon as it can be seen.
  pid_t next = -1;
  ASSERT_TRUE(eventually([&] {
    for (const pid_t worker : server.workers()) {
      if (std::find(first.begin(), first.end(), worker) == first.end()) next = worker;
    }
    return next != -1;
  }));
  ServerProcess::stop(next);
  EXPECT_TRUE(server.logs(fmt::format("worker 1 (process {}) gave no sign of life", next)));
  Stream client = connect_from(cpus_[1], port);
  ping(client);
}

TEST_F(Deaths, CountersGrowAndConnectionsAreNeverNegative) {
  const StatsJson stats;
  ServerProcess server(flags("hash", stats));
  const std::uint16_t port = server.port();
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<Stream> clients;
    for (unsigned number = 0; number < 20; ++number) {
      clients.push_back(connect_to(port));
      ping(clients.back());
    }
    const double seen = 20.0 * (round + 1);
    ASSERT_TRUE(stats.shows([&](const Json& line) { return line["accepted"].number() >= seen; }));
    ASSERT_EQ(kill(server.workers().front(), SIGKILL), 0);
    ASSERT_TRUE(server.logs("serves again"));
  }
  server.signal(SIGTERM);
  ASSERT_TRUE(server.wait());
  EXPECT_TRUE(server.logs("in ")) << "the summary";
  EXPECT_NE(server.log().find("60 accepted"), std::string::npos);

  const std::vector<Json> lines = stats.lines();
  ASSERT_GE(lines.size(), 3U);
  const char* growing[] = {"seconds",  "accepted",  "closed", "receives",
                           "bytes_in", "bytes_out", "enters", "completions"};
  for (std::size_t index = 0; index < lines.size(); ++index) {
    EXPECT_GE(lines[index]["connections"].number(), 0);
    EXPECT_LE(lines[index]["connections"].number(), 20);
    EXPECT_EQ(lines[index]["workers"].array().size(), 2U);
    if (index == 0) continue;
    for (const char* name : growing) {
      EXPECT_GE(lines[index][name].number(), lines[index - 1][name].number())
          << name << " in line " << index;
    }
  }
  EXPECT_EQ(lines.back()["accepted"].number(), 60);
  EXPECT_EQ(lines.back()["closed"].number(), 60);
  EXPECT_EQ(lines.back()["connections"].number(), 0);
}

TEST(Timeouts, WhatTcpEndedIsCounted) {
  const StatsJson stats;
  std::vector<std::string> all = flags("hash", stats);
  all.insert(all.end(), {"--user-timeout-ms", "500"});
  ServerProcess server(all);
  Stream stuck = connect_stuck(server.port());
  EXPECT_TRUE(stats.shows([](const Json& line) { return line["tcp_ended"].number() == 1; }));
  EXPECT_TRUE(stats.shows([](const Json& line) { return line["connections"].number() == 0; }));
}

TEST_F(Deaths, NoProcessForARestartIsTriedAgain) {
  if (geteuid() != 0) GTEST_SKIP() << "a user with few processes needs root";
  ServerProcess server(ServerProcess::Setup{
      .flags = {"--port", "0", "--workers", "2", "--steer", "hash", "--connections", "256"},
      .before =
          [] {
            const rlimit three{3, 3};  // the supervisor and its workers
            setrlimit(RLIMIT_NPROC, &three);
          },
      .unprivileged = true});
  const std::uint16_t port = server.port();
  // Another process of that user takes the place of the worker that dies.
  const unsigned user = unprivileged_user();
  const pid_t other = fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    prctl(PR_SET_NAME, "lab-occupant");
    if (setresuid(user, user, user) != 0) _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  const std::string status = fmt::format("/proc/{}/status", other);
  const std::string as_user = fmt::format("Uid:\t{}\t", user);
  EXPECT_TRUE(eventually([&] { return file_text(status).find(as_user) != std::string::npos; }));
  EXPECT_EQ(kill(server.workers().back(), SIGKILL), 0);
  EXPECT_TRUE(server.logs("tried again in 5 s"));
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  EXPECT_TRUE(server.logs("serves again"));
  for (unsigned number = 0; number < 10; ++number) {
    Stream client = connect_to(port);
    ping(client);
  }
}

}  // namespace
}  // namespace lab
