// --topology reactors: one process with a thread for each worker, as its clients and its operator
// see it.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/server/server_process.hpp"
#include "tests/server/sources.hpp"

namespace lab {
namespace {

std::vector<std::string> flags(const StatsJson& stats, std::vector<std::string> more = {}) {
  std::vector<std::string> all{"--port",        "0",          "--topology",          "reactors",
                               "--workers",     "2",          "--connections",       "256",
                               "--buffer-size", "1024",       "--buffer-count",      "1024",
                               "--stats-json",  stats.path(), "--stats-interval-ms", "100"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

double of_block(const Json& line, std::size_t block, const char* what) {
  return line["workers"].array()[block][what].number();
}

TEST(Topology, OneProcessServesWithAThreadForEachReactor) {
  const StatsJson stats;
  ServerProcess server(flags(stats));
  const std::uint16_t port = server.port();
  EXPECT_TRUE(server.logs("2 reactors, round-robin"));
  EXPECT_EQ(server.workers().size(), 1U);
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 20; ++number) {
    clients.push_back(connect_to(port));
    ping(clients.back(), 50'000);
  }
  ASSERT_TRUE(stats.shows([](const Json& line) { return line["accepted"].number() >= 20; }));
  const Json line = stats.lines().back();
  EXPECT_EQ(of_block(line, 0, "accepted"), 10);
  EXPECT_EQ(of_block(line, 1, "accepted"), 10);
  EXPECT_EQ(of_block(line, 2, "accepted"), 0) << "the acceptor serves nobody";
  EXPECT_EQ(of_block(line, 2, "serving"), 1);
  EXPECT_EQ(line["connections"].number(), 20);
  for (Stream& client : clients) client.finish_and_check(soon());
  expect_drains(server);
  EXPECT_TRUE(server.logs("reactor 1: 10 accepted"));
  EXPECT_TRUE(server.logs("acceptor: 20 handed over | "));
  EXPECT_TRUE(server.all_gone());
}

TEST(Topology, AKilledProcessIsStartedAgainWithAllReactors) {
  const StatsJson stats;
  ServerProcess server(flags(stats, {"--connection-balance", "fewest"}));
  const std::uint16_t port = server.port();
  std::vector<Stream> lost;
  for (unsigned number = 0; number < 4; ++number) {
    lost.push_back(connect_to(port));
    ping(lost.back());
  }
  ASSERT_EQ(server.workers().size(), 1U);
  kill(server.workers().front(), SIGKILL);
  EXPECT_TRUE(server.logs("4 connections with it"));
  EXPECT_TRUE(server.logs("serves again"));
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 6; ++number) {
    clients.push_back(connect_to(port));
    ping(clients.back());
  }
  ASSERT_TRUE(stats.shows([](const Json& line) { return line["accepted"].number() >= 10; }));
  const Json line = stats.lines().back();
  EXPECT_EQ(of_block(line, 0, "accepted"), 5);
  EXPECT_EQ(of_block(line, 1, "accepted"), 5);
  EXPECT_EQ(line["connections"].number(), 6);
  expect_drains(server);
}

// --- one that stalls ---

pid_t thread_named(pid_t process, const std::string& name) {
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process))) {
    if (file_text(entry.path().string() + "/comm") == name + "\n")
      return static_cast<pid_t>(std::stol(entry.path().filename().string()));
  }
  return -1;
}

// A thread that does not run while this lives. Its process and its other threads do.
class Stalled {
 public:
  explicit Stalled(pid_t thread) : thread_(thread) {
    error_ = ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0 ? 0 : errno;
    if (error_ != 0) return;
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    int status = 0;
    waitpid(thread, &status, __WALL);
  }
  ~Stalled() {
    if (error_ != 0 || ptrace(PTRACE_DETACH, thread_, nullptr, nullptr) == 0) return;
    // It was killed: its process has not ended before its end was seen here.
    int status = 0;
    waitpid(thread_, &status, __WALL);
  }
  Stalled(const Stalled&) = delete;
  Stalled& operator=(const Stalled&) = delete;

  int error() const { return error_; }

 private:
  pid_t thread_;
  int error_ = 0;
};

// Clients come until twenty have been served. The acceptor counts a reactor's silence by itself,
// and whom it hands over before that waits: on a busy machine those may be some.
void expect_serves_anew(std::uint16_t port) {
  std::vector<Stream> waiting;
  for (unsigned served = 0; served < 20;) {
    ASSERT_LT(waiting.size(), 100U) << "nobody is served";
    Stream client = connect_to(port);
    client.send(1, soon());
    if (client.wait(POLLIN, Deadline(1s)) == 0) {
      waiting.push_back(std::move(client));
    } else {
      ++served;
    }
  }
}

TEST(Topology, AReactorThatStallsIsSaidAndTheOthersServeOn) {
  const StatsJson stats;
  ServerProcess server(flags(stats));
  const std::uint16_t port = server.port();
  Stream of_first = connect_to(port);
  ping(of_first);
  Stream of_second = connect_to(port);
  ping(of_second);
  const pid_t process = server.workers().front();
  const pid_t thread = thread_named(process, "reactor 0");
  ASSERT_GT(thread, 0);
  {
    const Stalled stalled(thread);
    if (stalled.error() != 0) {
      GTEST_SKIP() << "a thread cannot be stopped here: " << std::strerror(stalled.error());
    }
    of_first.send(100, soon());
    EXPECT_TRUE(server.logs("reactor 0 gave no sign of life"));
    ping(of_second, 50'000);
    expect_serves_anew(port);
    EXPECT_EQ(of_first.wait(POLLIN, Deadline(0ms)), 0) << "it was not stalled";
  }
  EXPECT_TRUE(server.logs("reactor 0 comes round again"));
  of_first.receive(100, soon());
  EXPECT_EQ(server.workers().front(), process) << "nobody was killed for it";
  expect_drains(server);
}

TEST(Topology, AProcessWhoseReactorsAllStallIsStartedAgain) {
  const StatsJson stats;
  ServerProcess server(flags(stats));
  Stream lost = connect_to(server.port());
  ping(lost);
  const pid_t process = server.workers().front();
  {
    const Stalled first(thread_named(process, "reactor 0"));
    const Stalled second(thread_named(process, "reactor 1"));
    if (first.error() != 0 || second.error() != 0) {
      GTEST_SKIP() << "a thread cannot be stopped here: "
                   << std::strerror(std::max(first.error(), second.error()));
    }
    EXPECT_TRUE(server.logs(fmt::format("worker 0 (process {}) gave no sign of life", process)));
  }
  EXPECT_TRUE(server.logs("1 connection with it"));
  EXPECT_TRUE(server.logs("serves again"));
  ASSERT_EQ(server.workers().size(), 1U);
  EXPECT_NE(server.workers().front(), process);
  Stream client = connect_to(server.port());
  ping(client, 50'000);
  expect_drains(server);
}

// --- as with the other topology ---

TEST(Topology, WhatItNeedsIsSaid) {
  ServerProcess server({"--port", "0", "--topology", "reactors", "--without", "message-ring"});
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 1);
  EXPECT_TRUE(server.logs("--topology reactors needs messages between rings"));
}

TEST(Topology, EachReactorCountsItsClientsForItself) {
  const StatsJson stats;
  ServerProcess server(flags(stats, {"--max-connections-per-client", "2"}));
  const std::uint16_t port = server.port();
  std::vector<Fd> open;
  for (unsigned number = 0; number < 4; ++number) {
    open.push_back(connect_from(source(0), port));
    EXPECT_TRUE(echoes(open.back()));
  }
  EXPECT_FALSE(echoes(connect_from(source(0), port)));
  EXPECT_FALSE(echoes(connect_from(source(0), port)));
  EXPECT_TRUE(echoes(connect_from(source(1), port))) << "another client";
  open.clear();
  expect_drains(server);
  EXPECT_TRUE(server.logs("limit_refused connections: 2"));
}

TEST(Topology, AtTheDeadlineWhoIsLeftIsReset) {
  const StatsJson stats;
  ServerProcess server(flags(stats, {"--drain-deadline-ms", "300"}));
  const std::uint16_t port = server.port();
  Stream first = connect_stuck(port);
  Stream second = connect_stuck(port);
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
  EXPECT_TRUE(server.logs("2 connections were still open at the deadline: reset"));
}

TEST(Topology, WhenTheSupervisorIsKilledTheReactorsDrain) {
  const StatsJson stats;
  ServerProcess server(flags(stats));
  Stream client = connect_to(server.port());
  ping(client);
  server.signal(SIGKILL);
  ASSERT_TRUE(server.wait());
  client.receive_to_end(soon());
  EXPECT_TRUE(server.all_gone());
}

}  // namespace
}  // namespace lab
