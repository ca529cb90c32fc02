// How the server ends: by SIGTERM and SIGINT, at the deadline, at once, and without its supervisor.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "tests/server/server_process.hpp"

namespace lab {
namespace {

// What a test names stands in the place of the default.
std::vector<std::string> flags(unsigned drain_deadline_ms, std::vector<std::string> named = {}) {
  std::vector<std::string> all{"--port", "0", "--drain-deadline-ms",
                               std::to_string(drain_deadline_ms)};
  const std::pair<const char*, const char*> usual[] = {{"--workers", "2"},
                                                       {"--buffer-size", "4096"},
                                                       {"--buffer-count", "512"},
                                                       {"--steer", "hash"},
                                                       {"--connections", "64"}};
  for (const auto& [option, value] : usual) {
    if (std::find(named.begin(), named.end(), option) == named.end()) {
      all.insert(all.end(), {option, value});
    }
  }
  all.insert(all.end(), named.begin(), named.end());
  return all;
}

void expect_exit(ServerProcess& server, int code) {
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end) << "it did not end";
  EXPECT_TRUE(end->exited) << "by signal " << end->code;
  EXPECT_EQ(end->code, code);
  EXPECT_TRUE(server.all_gone());
}

// The workers end by themselves, at their deadline. Who has not 2 s later is killed, and only a
// machine that keeps a worker from running makes it so late: server-worker has shown that it ends
// where nobody kills it.
bool was_too_slow_to_end(ServerProcess& server) {
  return server.wait() && server.log().find("was ended by signal 9") != std::string::npos;
}

#define SKIP_IF_TOO_SLOW_TO_END(server) \
  if (was_too_slow_to_end(server))      \
  GTEST_SKIP() << "this machine kept a worker from running for 2 s after its deadline"

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
  Pauses pauses;
  try {
    for (const Clock::time_point end = Clock::now() + 500ms; Clock::now() < end;) {
      ping(client);
      pauses.acted();
    }
    client.finish_and_check(soon());
  } catch (const Failure& failure) {
    if (pauses.longest() < 100ms) throw;  // 200 ms of silence are the end of the talk
    GTEST_SKIP() << "this machine held the client up until it was quiet: " << failure.what();
  }
  expect_exit(server, 0);
}

TEST(Drain, AtTheDeadlineAPeerThatNeverReadsIsReset) {
  for (const char* zero_copy : {"never", "always"}) {
    ServerProcess server(flags(500, {"--zero-copy", zero_copy}));
    Stream stuck = connect_stuck(server.port());
    const Clock::time_point start = Clock::now();
    server.signal(SIGTERM);
    SKIP_IF_TOO_SLOW_TO_END(server);
    expect_exit(server, 0);
    EXPECT_GE(Clock::now() - start, 480ms);
    stuck.send_some(1);
    EXPECT_TRUE(stuck.was_reset());
    EXPECT_TRUE(server.logs("1 connection was still open at the deadline: reset"));
  }
}

TEST(Drain, ADeadlineOfZeroWaitsForNobody) {
  ServerProcess server(flags(0));
  Stream stuck = connect_stuck(server.port());
  server.signal(SIGTERM);
  SKIP_IF_TOO_SLOW_TO_END(server);
  expect_exit(server, 0);
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

// As timeout(1) does, which signals a program and then its group.
TEST(Drain, TheSameSignalTwiceInAMomentIsOne) {
  ServerProcess server(flags(60'000));
  Stream slow = connect_stuck(server.port());
  const Clock::time_point start = Clock::now();
  server.signal(SIGTERM);
  ASSERT_TRUE(server.logs("draining"));
  server.signal(SIGTERM);
  try {
    slow.receive_to_end(soon());
  } catch (const Failure& failure) {
    if (Clock::now() - start < 100ms) throw;
    GTEST_SKIP() << "this machine took longer than a moment: " << failure.what();
  }
  expect_exit(server, 0);
}

TEST(Drain, AStoppedWorkerIsKilledTwoSecondsAfterTheDeadline) {
  ServerProcess server(flags(100));
  server.port();
  ServerProcess::stop(server.workers().front());
  server.signal(SIGTERM);
  expect_exit(server, 1);
}

TEST(Drain, AWorkerThatIsKilledWhileItDrainsIsSaidAndNoSuccess) {
  ServerProcess server(flags(60'000, {"--workers", "1"}));
  Stream stuck = connect_stuck(server.port());
  server.signal(SIGTERM);
  ASSERT_TRUE(server.logs("draining"));
  const pid_t worker = server.workers().front();
  ASSERT_EQ(kill(worker, SIGKILL), 0);
  expect_exit(server, 1);
  EXPECT_TRUE(server.logs(fmt::format(
      "worker 0 (process {}) was ended by signal 9 (Killed), by hand or by the kernel because "
      "memory ran out (dmesg says which) while it drained, 1 connection with it",
      worker)));
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

// From the moment at which it holds signals back, which is before it has its port.
TEST(Drain, AnEarlySignalEndsItInOrderToo) {
  const auto blocks = [](pid_t process, int signal) {
    const std::string status = file_text(fmt::format("/proc/{}/status", process));
    const std::size_t place = status.find("SigBlk:");
    if (place == std::string::npos) return false;
    const std::uint64_t set = std::strtoull(status.c_str() + place + 7, nullptr, 16);
    return (set >> (signal - 1) & 1U) != 0;
  };
  for (unsigned round = 0; round < 10; ++round) {
    ServerProcess server(flags(1000));
    ASSERT_TRUE(eventually([&] { return blocks(server.pid(), SIGTERM); }));
    server.signal(SIGTERM);
    expect_exit(server, 0);
    EXPECT_EQ(server.log().find("again"), std::string::npos) << server.log();
  }
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

// The kernel closes the supervisor's end of the control sockets seconds late when it is busy. Here
// never: this process has them, too. What begins the drain is the signal of the parent's death.
TEST(Drain, WithoutTheirSupervisorWorkersDrainThoughTheirControlSocketsStayOpen) {
  ServerProcess server(flags(60'000));
  Stream quiet = connect_to(server.port());
  ping(quiet);
  std::vector<Fd> kept;
  const Fd supervisor(static_cast<int>(syscall(SYS_pidfd_open, server.pid(), 0)));
  for (int number = 3; number < 64; ++number) {
    Fd copy(static_cast<int>(syscall(SYS_pidfd_getfd, supervisor.get(), number, 0)));
    if (!copy && errno != EBADF) GTEST_SKIP() << "this user may not copy descriptors";
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (copy && getsockname(copy.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
        name.ss_family == AF_UNIX) {
      kept.push_back(std::move(copy));
    }
  }
  ASSERT_EQ(kept.size(), 2U) << "one for each worker";
  server.signal(SIGKILL);
  ASSERT_TRUE(server.wait());
  quiet.receive_to_end(soon());
  EXPECT_TRUE(refuses(server.port()));
  EXPECT_TRUE(server.all_gone());
}

TEST(Drain, AWorkerDoesNotTakeAnybodysSignalForTheDeathOfItsParent) {
  ServerProcess server(flags(60'000));
  Stream client = connect_to(server.port());
  ping(client);
  for (const pid_t worker : server.workers()) ASSERT_EQ(kill(worker, SIGUSR2), 0);
  for (unsigned round = 0; round < 20; ++round) {
    ping(client);
    Stream another = connect_to(server.port());
    ping(another);
  }
  server.signal(SIGTERM);
  expect_exit(server, 0);
}

TEST(Drain, WithoutTheirSupervisorWorkersDrainWhateverStreamsItHad) {
  for (unsigned closed = 0; closed < 8; ++closed) {
    const std::uint16_t port = free_port();
    std::vector<std::string> named = flags(60'000);
    named[1] = std::to_string(port);
    ServerProcess server({.flags = named, .before = [closed] {
                            for (int fd = 0; fd < 3; ++fd) {
                              if ((closed >> fd & 1U) != 0) close(fd);
                            }
                          }});
    std::vector<Stream> clients;
    ASSERT_TRUE(eventually([&] {
      try {
        clients.push_back(connect_to(port));
        return true;
      } catch (const Failure&) {
        return false;
      }
    }));
    for (unsigned number = 0; number < 10; ++number) clients.push_back(connect_to(port));
    for (Stream& client : clients) ping(client);
    server.signal(SIGKILL);
    ASSERT_TRUE(server.wait());
    for (Stream& client : clients) client.receive_to_end(soon());
    EXPECT_TRUE(refuses(port));
    EXPECT_TRUE(server.all_gone());
  }
}

TEST(Drain, WithoutTheirSupervisorNoWorkerOutlivesTheDeadline) {
  ServerProcess server(flags(500));
  Stream stuck = connect_stuck(server.port());
  server.signal(SIGKILL);
  ASSERT_TRUE(server.wait());
  EXPECT_TRUE(server.all_gone());
}

}  // namespace
}  // namespace lab
