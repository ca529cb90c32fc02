// Echo over UDP: what is lost, late, doubled and in another order, and what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/ringload/echo_servers.hpp"
#include "tests/ringload/run_program.hpp"

namespace lab {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;

std::vector<std::string> udp(std::vector<std::string> more, const char* duration = "0.3") {
  more.insert(more.end(), {"--udp", "--duration", duration, "--warmup", "0", "--json"});
  return more;
}

void echo(std::uint64_t, const std::string& datagram, const UdpServer::Answer& answer) {
  answer(datagram);
}

TEST(Udp, NothingIsLostWhereNothingGetsLost) {
  UdpServer server(echo);
  const Ended run = ringload(server.port(), udp({"--connections", "4", "--timeout-ms", "60000"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_GT(run.number("sent"), 0);
  EXPECT_EQ(run.number("answered"), run.number("sent"));
  for (const char* none : {"lost", "late", "duplicate", "reordered", "dropped_here"}) {
    EXPECT_EQ(run.number(none), 0) << none;
  }
}

TEST(Udp, AnOpenLoopSendsWhatIsDue) {
  UdpServer server(echo);
  const Ended run = ringload(server.port(), udp({"--connections", "2", "--depth", "64", "--rate",
                                                 "500", "--timeout-ms", "60000"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  // What is due and cannot go, as too many are unanswered on a machine that is busy, is held back.
  EXPECT_NEAR(run.number("sent") + run.number("held_back"), 500 * run.number("seconds"), 60);
  EXPECT_EQ(run.number("answered"), run.number("sent"));
}

TEST(Udp, EveryLostDatagramIsCounted) {
  UdpServer server([](std::uint64_t number, const std::string& datagram, const auto& answer) {
    if (number % 10 != 7) answer(datagram);
  });
  const Ended run = ringload(
      server.port(), udp({"--connections", "1", "--depth", "4", "--timeout-ms", "200"}, "1"));
  EXPECT_EQ(run.exit, 0) << run.all();
  const double sent = run.number("sent");
  EXPECT_GE(sent, 20);
  EXPECT_EQ(sent, run.number("answered") + run.number("lost"));
  EXPECT_GE(run.number("lost"), std::floor(sent / 10));
  EXPECT_EQ(run.number("dropped_here"), 0);
}

TEST(Udp, PairsThatAreSwappedAreReordered) {
  std::string kept;
  UdpServer server([&](std::uint64_t, const std::string& datagram, const auto& answer) {
    if (kept.empty()) {
      kept = datagram;
    } else {
      answer(datagram);
      answer(kept);
      kept.clear();
    }
  });
  const Ended run =
      ringload(server.port(), udp({"--connections", "1", "--depth", "2", "--timeout-ms", "1000"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  if (run.number("late") > 0) GTEST_SKIP() << "this machine held the server up for a second";
  EXPECT_GE(run.number("reordered"), 1);
  EXPECT_GE(run.number("reordered"), std::floor(run.number("answered") / 2) - 2);
  EXPECT_EQ(run.number("duplicate"), 0);
}

TEST(Udp, ASecondAnswerIsADuplicate) {
  UdpServer server([](std::uint64_t, const std::string& datagram, const auto& answer) {
    answer(datagram);
    answer(datagram);
  });
  const Ended run = ringload(server.port(), udp({"--connections", "1", "--timeout-ms", "60000"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_GT(run.number("duplicate"), 0);
  EXPECT_EQ(run.number("lost"), 0);
  EXPECT_EQ(run.number("late"), 0);
}

TEST(Udp, AnAnswerAfterTheTimeoutIsLostAndLate) {
  UdpServer server([](std::uint64_t, const std::string& datagram, const auto& answer) {
    std::this_thread::sleep_for(60ms);
    answer(datagram);
  });
  const Ended run =
      ringload(server.port(), udp({"--connections", "1", "--timeout-ms", "20"}, "0.5"));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_GT(run.number("lost"), 0);
  EXPECT_GT(run.number("late"), 0);
}

TEST(Udp, WrongContentIsFound) {
  UdpServer server([](std::uint64_t number, const std::string& datagram, const auto& answer) {
    std::string changed = datagram;
    if (number == 5) changed.at(40) = static_cast<char>(changed.at(40) ^ 1);
    answer(changed);
  });
  const Ended run = ringload(server.port(), udp({"--connections", "1"}));
  EXPECT_EQ(run.exit, 1) << run.all();
  EXPECT_EQ(run.number("content_errors"), 1);
  EXPECT_THAT(run.errors, HasSubstr("byte 40: expected 0x"));
}

TEST(Udp, AnswersOfAnotherSizeOrFlowAreWrong) {
  UdpServer longer([](std::uint64_t, const std::string& datagram, const auto& answer) {
    answer(datagram + "!");
  });
  const Ended too_long = ringload(longer.port(), udp({"--connections", "1"}));
  EXPECT_EQ(too_long.exit, 1);
  EXPECT_THAT(too_long.errors, HasSubstr("an answer of 65 bytes"));

  UdpServer mixed([](std::uint64_t, const std::string& datagram, const auto& answer) {
    std::string changed = datagram;
    changed.at(0) = 9;
    answer(changed);
  });
  const Ended other_flow = ringload(mixed.port(), udp({"--connections", "1"}));
  EXPECT_EQ(other_flow.exit, 1);
  EXPECT_THAT(other_flow.errors, HasSubstr("a datagram that this flow has not sent"));
}

TEST(Udp, TheTextCountsAndJudges) {
  UdpServer server(echo);
  const Ended run = ringload(
      server.port(), {"--udp", "--connections", "2", "--duration", "0.2", "--warmup", "0.05"});
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("2 UDP flows x 64 B, depth 1, closed loop"));
  EXPECT_THAT(run.output,
              ContainsRegex("datagrams +[1-9][0-9]* sent, [1-9][0-9]* answered, [0-9]+ lost"));
  EXPECT_THAT(run.output, ContainsRegex("\nlimit +[a-zA-Z]"));
}

TEST(Udp, ASweepShowsWhatWasLost) {
  UdpServer server(echo);
  const Ended run =
      ringload(server.port(), {"--udp", "--connections", "2", "--depth", "64", "--warmup", "0.05",
                               "--sweep", "100:300:3", "--duration", "0.2"});
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("server +lost +limit\n"));
  EXPECT_THAT(run.output, ContainsRegex("\n +100 .*\n +200 .*\n +300 "));
}

TEST(Udp, AnInterruptedRunReportsWhatItHas) {
  std::atomic<unsigned> seen = 0;
  UdpServer server([&](std::uint64_t, const std::string& datagram, const auto& answer) {
    ++seen;
    answer(datagram);
  });
  const Ended run = ringload(server.port(), udp({"--connections", "2"}, "50"),
                             {.interrupt_when = [&] { return seen > 100; }});
  EXPECT_EQ(run.exit, 130) << run.all();
  EXPECT_THAT(run.output, HasSubstr("\"interrupted\":true"));
  EXPECT_GT(run.number("answered"), 0);
  EXPECT_EQ(run.number("sent"), run.number("answered") + run.number("lost"));
}

TEST(Udp, NobodyIsThere) {
  std::uint16_t port = 0;
  bind_loopback(SOCK_DGRAM, port).reset();
  const Ended run = ringload(std::to_string(port), {"--udp"});
  EXPECT_EQ(run.exit, 2);
  EXPECT_THAT(run.errors, HasSubstr("nobody has bound that UDP port"));
}

TEST(Udp, SomebodyWhoDoesNotAnswer) {
  std::uint16_t port = 0;
  const Fd silent = bind_loopback(SOCK_DGRAM, port);
  const Ended run = ringload(std::to_string(port), {"--udp"});
  EXPECT_EQ(run.exit, 2);
  EXPECT_THAT(run.errors, HasSubstr("is it an echo server?"));
}

}  // namespace
}  // namespace lab
