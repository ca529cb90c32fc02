// How the server ends: by SIGTERM and SIGINT, at the deadline, at once, and without its supervisor.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>

#include "tests/server/server_process.hpp"

namespace lab {
namespace {

constexpr Clock::duration allowed_over_deadline = 2s;  // by the design
constexpr Clock::duration busy_machine = 1s;

std::vector<std::string> flags(unsigned drain_deadline_ms, std::vector<std::string> more = {}) {
  std::vector<std::string> all{
      "--port",        "0",    "--workers",           "2",
      "--buffer-size", "4096", "--buffer-count",      "512",
      "--steer",       "hash", "--drain-deadline-ms", std::to_string(drain_deadline_ms)};
  if (std::find(more.begin(), more.end(), "--connections") == more.end()) {
    all.insert(all.end(), {"--connections", "64"});
  }
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void expect_exit(ServerProcess& server, int code, Clock::duration limit = patience) {
  const std::optional<Exit> end = server.wait(limit);
  ASSERT_TRUE(end) << "it did not end within " << limit / 1ms << " ms";
  EXPECT_TRUE(end->exited) << "by signal " << end->code;
  EXPECT_EQ(end->code, code);
  EXPECT_TRUE(server.all_gone());
}

// Each worker closes its own listener when it hears of the drain.
bool refuses(std::uint16_t port) {
  return eventually([&] {
    try {
      connect_to(port);
      return false;
    } catch (const Failure&) {
      return true;
    }
  });
}

TEST(Drain, BytesInFlightAreDelivered) {
  for (const int signal : {SIGTERM, SIGINT}) {
    ServerProcess server(flags(60'000));
    Stream slow = connect_stuck(server.port());
    EXPECT_GT(slow.sent(), slow.received());
    server.signal(signal);
    ASSERT_TRUE(server.logs("draining"));
    slow.receive_to_end(soon());
    expect_exit(server, 0);
  }
}

TEST(Drain, QuietClientsAreClosedAndNotReset) {
  ServerProcess server(flags(60'000));
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 20; ++number) {
    clients.push_back(connect_to(server.port()));
    if (number % 2 == 0) ping(clients.back());
  }
  ASSERT_TRUE(eventually([&] {
    Stream probe = connect_to(server.port());  // after it everybody was accepted
    ping(probe);
    return true;
  }));
  server.signal(SIGTERM);
  for (std::size_t number = 0; number < clients.size(); number += 2) {
    clients[number].receive_to_end(soon());
  }
  expect_exit(server, 0);
}

TEST(Drain, WhoIsStillTalkingIsHeardOut) {
  ServerProcess server(flags(60'000));
  Stream client = connect_to(server.port());
  ping(client);
  server.signal(SIGTERM);
  ASSERT_TRUE(server.logs("draining"));
  const Clock::time_point end = Clock::now() + 500ms;
  while (Clock::now() < end) ping(client);
  client.finish_and_check(soon());
  expect_exit(server, 0);
}

TEST(Drain, AtTheDeadlineAPeerThatNeverReadsIsReset) {
  for (const char* zero_copy : {"never", "always"}) {
    ServerProcess server(flags(500, {"--zero-copy", zero_copy}));
    Stream stuck = connect_stuck(server.port());
    const Clock::time_point start = Clock::now();
    server.signal(SIGTERM);
    // Exit code 0 says that the workers ended by themselves: the supervisor kills after 2 s.
    expect_exit(server, 0, 500ms + allowed_over_deadline + busy_machine);
    EXPECT_GE(Clock::now() - start, 480ms);
    stuck.send_some(1);
    EXPECT_TRUE(stuck.was_reset());
  }
}

TEST(Drain, ADeadlineOfZeroWaitsForNobody) {
  ServerProcess server(flags(0));
  Stream stuck = connect_stuck(server.port());
  server.signal(SIGTERM);
  expect_exit(server, 0, allowed_over_deadline + busy_machine);
}

TEST(Drain, ASecondSignalStopsAtOnce) {
  ServerProcess server(flags(60'000));
  Stream stuck = connect_stuck(server.port());
  server.signal(SIGTERM);
  ASSERT_TRUE(server.logs("draining"));
  server.signal(SIGINT);
  expect_exit(server, 1);
  EXPECT_NE(server.log().find("second signal"), std::string::npos);
}

TEST(Drain, AStoppedWorkerIsKilledTwoSecondsAfterTheDeadline) {
  ServerProcess server(flags(100));
  server.port();
  ServerProcess::stop(server.workers().front());
  server.signal(SIGTERM);
  expect_exit(server, 1, 100ms + allowed_over_deadline + busy_machine);
}

TEST(Drain, ThePortIsRefusedAndFreeForAnotherServer) {
  ServerProcess old_server(flags(60'000));
  const std::string port = std::to_string(old_server.port());
  Stream slow = connect_stuck(old_server.port());
  old_server.signal(SIGTERM);
  ASSERT_TRUE(old_server.logs("draining"));
  EXPECT_TRUE(refuses(old_server.port()));
  std::vector<std::string> same = flags(60'000);
  same[1] = port;
  ServerProcess new_server(same);
  Stream client = connect_to(new_server.port());
  ping(client);
  slow.receive_to_end(soon());
  expect_exit(old_server, 0);
  ping(client);
}

TEST(Drain, WhoWaitsInTheBacklogIsSentAway) {
  ServerProcess server(flags(60'000, {"--connections", "1"}));
  std::vector<Stream> inside;
  std::vector<Stream> waiting;
  for (unsigned number = 0; number < 12; ++number) {
    Stream client = connect_to(server.port());
    client.send(10, soon());
    waiting.push_back(std::move(client));
  }
  // One per worker is served; which, is the hash's choice.
  ASSERT_TRUE(eventually([&] {
    for (auto one = waiting.begin(); one != waiting.end(); ++one) {
      if (one->wait(POLLIN, Deadline(0s)) == 0) continue;
      one->receive(10, soon());
      inside.push_back(std::move(*one));
      waiting.erase(one);
      break;
    }
    return !inside.empty();
  }));
  server.signal(SIGTERM);
  for (Stream& client : waiting) {
    EXPECT_NE(client.wait(POLLIN, soon()), 0);
  }
  for (Stream& client : inside) client.receive_to_end(soon());
  expect_exit(server, 0);
}

// Whether a signal finds it ready is a race that this test need not win: either end is right, and
// how many were in order is only told.
TEST(Drain, AnEarlySignalEndsItInOrderToo) {
  int in_order = 0;
  for (unsigned delay_ms = 0; delay_ms < 60; delay_ms += 4) {
    ServerProcess server(flags(1000));
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    server.signal(SIGTERM);
    const std::optional<Exit> end = server.wait();
    ASSERT_TRUE(end) << "after " << delay_ms << " ms";
    // Before its first lines nothing can be drained.
    if (end->exited) {
      EXPECT_EQ(end->code, 0) << "after " << delay_ms << " ms: " << server.log();
      ++in_order;
    } else {
      EXPECT_EQ(end->code, SIGTERM);
    }
    EXPECT_TRUE(server.all_gone());
    EXPECT_EQ(server.log().find("again"), std::string::npos) << server.log();
  }
  RecordProperty("in_order", in_order);
}

TEST(Drain, WithoutTheirSupervisorWorkersDrainAndEnd) {
  ServerProcess server(flags(60'000));
  Stream quiet = connect_to(server.port());
  ping(quiet);
  Stream slow = connect_stuck(server.port());
  server.signal(SIGKILL);
  ASSERT_TRUE(server.wait());
  quiet.receive_to_end(soon());
  EXPECT_TRUE(refuses(server.port()));
  slow.receive_to_end(soon());
  EXPECT_TRUE(server.all_gone());
}

TEST(Drain, WithoutTheirSupervisorNoWorkerOutlivesTheDeadline) {
  ServerProcess server(flags(500));
  Stream stuck = connect_stuck(server.port());
  server.signal(SIGKILL);
  ASSERT_TRUE(server.wait());
  EXPECT_TRUE(server.all_gone(500ms + allowed_over_deadline + busy_machine));
}

}  // namespace
}  // namespace lab
