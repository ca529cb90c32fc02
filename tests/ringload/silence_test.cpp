// Every way to load, against every way in which a server can fail to answer: each run ends, says
// what it waited for, and is no success. A run without an end is killed by the alarm that
// run_program sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "tests/ringload/echo_servers.hpp"
#include "tests/ringload/run_program.hpp"

namespace lab {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

using Words = std::vector<std::string>;

struct Way {
  const char* name;
  Words words;
};

struct Manner {
  const char* name;
  std::optional<std::string> (*answer)(std::string_view bytes, std::uint64_t before);
  const char* said;  ///< a regular expression
};

constexpr const char* awaited = "bytes of answers were awaited from here on";
constexpr const char* closed = "closed the connection|Connection reset|Broken pipe";

const Way ways[] = {
    {"count", {"--count", "10"}},
    {"countSpin", {"--count", "10", "--spin"}},
    {"countRate", {"--count", "10", "--rate", "1000"}},
    {"countDepth", {"--count", "10", "--depth", "8"}},
    {"countStream", {"--count", "10", "--stream"}},
    {"countNoCheck", {"--count", "10", "--no-check", "--size", "8KiB"}},
    {"countChurn", {"--count", "10", "--churn"}},
    {"duration", {"--duration", "0.1"}},
    {"durationChurn", {"--duration", "0.1", "--churn", "--messages", "5"}},
    {"sweep", {"--duration", "0.1", "--sweep", "100,200"}},
    {"sweepAuto", {"--duration", "0.1", "--sweep", "auto"}},
};

const Manner manners[] = {
    {"silent", [](auto, auto) { return std::optional<std::string>(""); }, awaited},
    {"half",
     [](auto bytes, auto) { return std::optional<std::string>(bytes.substr(0, bytes.size() / 2)); },
     "bytes of answers were awaited from here on|expected 0x"},
    {"silentAfterTheFirst",
     [](auto bytes, auto before) {
       return std::optional<std::string>(before == 0 ? bytes : std::string_view());
     },
     awaited},
    {"closes", [](auto, auto) { return std::optional<std::string>(); }, closed},
    {"closesAfterTheFirst",
     [](auto bytes, auto before) {
       return before == 0 ? std::optional<std::string>(bytes) : std::optional<std::string>();
     },
     closed},
    {"garbage",
     [](auto bytes, auto) { return std::optional<std::string>(std::string(bytes.size(), '?')); },
     "expected 0x"},
    {"tooMuch",
     [](auto bytes, auto) { return std::optional<std::string>(std::string(bytes) + "?"); },
     "sent more than it was asked for|expected 0x"},
};

class Silence : public testing::TestWithParam<std::tuple<Way, Manner>> {};

TEST_P(Silence, Ends) {
  const auto& [way, manner] = GetParam();
  const std::string name = way.name;
  const std::string what = manner.name;
  if (name == "countNoCheck" && what == "garbage") return;  // nobody looks at it
  // One message is all that such a connection carries.
  const bool one_message = name == "countChurn" && what.ends_with("AfterTheFirst");
  TcpServer server({.instead = manner.answer});
  Words words = way.words;
  // Whoever is given up soon has to be silent: one that answers may be held up by a busy machine.
  const bool falls_silent = (what.starts_with("silent") && !one_message) || what == "half";
  words.insert(words.end(),
               {"--connections", "2", "--warmup", "0", "--patience", falls_silent ? "0.3" : "100"});
  const lab::Ended run = ringload(server.port(), words);
  EXPECT_EQ(run.exit, one_message ? 0 : 1) << run.all();
  if (one_message) return;
  EXPECT_THAT(run.output, HasSubstr("FAILED"));
  EXPECT_THAT(run.output, ContainsRegex(manner.said));
}

INSTANTIATE_TEST_SUITE_P(Of, Silence,
                         testing::Combine(testing::ValuesIn(ways), testing::ValuesIn(manners)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" +
                                  std::get<1>(test.param).name;
                         });

// Nobody accepts: the kernel does it, and only as many as the backlog holds.
TEST(SilentListener, IsGivenUpWhileConnecting) {
  std::uint16_t port = 0;
  const Fd listener = bind_loopback(SOCK_STREAM, port);
  check_errno(listen(listener.get(), 1), "listen");
  for (const char* kind : {"--quiet", "--churn"}) {
    const lab::Ended run = ringload(
        std::to_string(port), {"--connections", "20", "--count", "1", "--patience", "0.3", kind});
    EXPECT_NE(run.exit, 0) << run.all();
    EXPECT_THAT(run.all(), ContainsRegex("timed out|--patience"));
  }
}

// A byte now and then is no answer.
TEST(TricklingServer, IsGivenUp) {
  TcpServer server({.trickle = true});
  const lab::Ended run = ringload(server.port(), {"--connections", "1", "--count", "5", "--size",
                                                  "1MiB", "--warmup", "0", "--patience", "0.3"});
  EXPECT_EQ(run.exit, 1) << run.all();
  EXPECT_THAT(run.output, ContainsRegex(awaited));
}

TEST(SilentUdp, IsNoResult) {
  for (const char* kind : {"--depth=1", "--rate=100"}) {
    UdpServer server([](std::uint64_t, const std::string&, const auto&) {});  // but for the probe
    const lab::Ended run = ringload(
        server.port(), {"--udp", "--connections", "2", "--duration", "0.2", "--warmup", "0", kind});
    EXPECT_EQ(run.exit, 1) << run.all();
    EXPECT_THAT(run.output, ContainsRegex("FAILED.*no datagram was answered"));
  }
}

// A pause that is shorter than the patience is measured, and one with an end of its own always is.
TEST(Patience, IsLongerThanAPause) {
  using namespace std::chrono_literals;
  TcpServer server({.delay = 400ms});
  const lab::Ended patient = ringload(
      server.port(), {"--connections", "1", "--count", "2", "--warmup", "0", "--patience", "100"});
  EXPECT_EQ(patient.exit, 0) << patient.all();
}

}  // namespace
}  // namespace lab
