// The examples as somebody runs them: over loopback, with a drain at the end.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>

#include "tests/server/server_process.hpp"
#include "tests/server/support.hpp"

namespace lab {
namespace {

ServerProcess::Setup example(const char* program) {
  return {.flags = {"--port", "0", "--workers", "1", "--connections", "64"}, .program = program};
}

// What is heard after these words, until so many bytes have come, or the end.
std::string hear(Stream& client, std::string_view words, std::size_t bytes) {
  EXPECT_EQ(send(client.fd(), words.data(), words.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(words.size()));
  std::string heard;
  std::array<char, 4096> piece;
  while (heard.size() < bytes) {
    if (client.wait(POLLIN, soon()) == 0) break;
    const ssize_t count = recv(client.fd(), piece.data(), piece.size(), 0);
    if (count <= 0) break;
    heard.append(piece.data(), static_cast<std::size_t>(count));
  }
  return heard;
}

TEST(SessionExamples, EchoSendsBackWhatCame) {
  ServerProcess server(example(LAB_SESSION_ECHO));
  Stream client = connect_to(server.port());
  ping(client, 100'000);
  client.finish_and_check(soon());
  Stream idle = connect_to(server.port());
  ping(idle);
  expect_drains(server);
}

TEST(SessionExamples, WhatSessionsCountIsAmongTheStatistics) {
  const StatsJson stats;
  ServerProcess::Setup setup = example(LAB_SESSION_ECHO);
  setup.flags.insert(setup.flags.end(),
                     {"--stats-json", stats.path(), "--stats-interval-ms", "50"});
  ServerProcess server(setup);
  Stream client = connect_to(server.port());
  ping(client);
  EXPECT_TRUE(stats.shows([](const Json& line) {
    return line["accepted"].number() == 1 && line["sessions_refused"].number() == 0 &&
           line["sessions_threw"].number() == 0;
  })) << server.log();
  expect_drains(server);
}

TEST(SessionExamples, LinesAreToldApart) {
  ServerProcess server(example(LAB_SESSION_LINES));
  Stream client = connect_to(server.port());
  EXPECT_EQ(hear(client, "one\ntw", 14), "you said: one\n");
  EXPECT_EQ(hear(client, "o\n", 14), "you said: two\n");
  EXPECT_EQ(hear(client, "bye\n", 1), "") << "the end";
  Stream endless = connect_to(server.port());
  EXPECT_EQ(hear(endless, std::string(300, 'x'), 1), "") << "no line is so long";
  expect_drains(server);
}

TEST(SessionExamples, TheStreamShouts) {
  ServerProcess server(example(LAB_SESSION_STREAM));
  Stream client = connect_to(server.port());
  const std::string text(3000, 'q');
  EXPECT_EQ(hear(client, "Hello, " + text, 3007), "HELLO, " + std::string(3000, 'Q'));
  expect_drains(server);
}

TEST(SessionExamples, SqpollIsOnByItself) {
  ServerProcess server(example(LAB_SESSION_SQPOLL));
  Stream client = connect_to(server.port());
  ping(client, 100'000);
  client.finish_and_check(soon());
  EXPECT_TRUE(server.logs("SQPOLL"));
  expect_drains(server);
}

}  // namespace
}  // namespace lab
