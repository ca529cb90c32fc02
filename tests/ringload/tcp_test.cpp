// Echo over TCP: closed and open loop, sweeps, churn, and who was the limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>

#include "05-performance/lib/core_thread.hpp"
#include "tests/ringload/echo_servers.hpp"
#include "tests/ringload/run_program.hpp"

namespace lab {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> quick(std::vector<std::string> more, const char* duration = "0.2") {
  more.insert(more.end(), {"--duration", duration, "--warmup", "0.05"});
  return more;
}

// A run that ends by itself, however fast the machine is.
std::vector<std::string> few(std::vector<std::string> more) {
  more.insert(more.end(), {"--count", "200", "--warmup", "0"});
  return more;
}

// Who has the generator's processor is for the machine to say. Where others have it, what would
// show otherwise cannot be seen, and the run itself says why.
#define SKIP_WHERE_OTHERS_RAN(run, sign)                 \
  if (std::regex_search((run).output, std::regex(sign))) \
  GTEST_SKIP() << "the generator did not get its processor: " << (run).output

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Echo, AClosedLoopIsCountedAndJudged) {
  TcpServer server;
  const Ended run = ringload(server.port(), few({"--connections", "8"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("requests +[1-9][0-9]*/s"));
  EXPECT_THAT(run.output, ContainsRegex("\nlimit +[a-zA-Z]"));
  EXPECT_THAT(run.output, ContainsRegex("content +checked"));
}

TEST(Echo, JsonSaysWhoWasTheLimit) {
  TcpServer server;
  const Ended run = ringload(server.port(), few({"--connections", "8", "--json"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_GT(run.number("requests"), 0);
  EXPECT_THAT(run.output, HasSubstr("\"limit\":\""));
  EXPECT_THAT(run.output, HasSubstr("\"verdict\":\""));
}

TEST(Echo, AWrongByteIsFoundWithItsPlace) {
  TcpServer server({.wrong_byte = 1000});
  const Ended run = ringload(server.port(), few({"--connections", "1"}));
  EXPECT_EQ(run.exit, 1) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("FAILED.*1 wrong answers.*byte 999: expected 0x"));
}

TEST(Echo, NobodyListens) {
  std::uint16_t port = 0;
  const Fd bound = bind_loopback(SOCK_STREAM, port);  // and does not listen
  const Ended run = ringload(std::to_string(port), {});
  EXPECT_EQ(run.exit, 2);
  EXPECT_THAT(run.errors, HasSubstr("is the server up?"));
}

TEST(Output, AResultThatNobodyGotIsNoSuccess) {
  TcpServer server;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{}, {"--json"}, {"--sweep", "100"}, {"--sweep", "100", "--json"}}) {
    const Ended run = ringload(server.port(), quick(words), {.output = "/dev/full"});
    EXPECT_EQ(run.exit, 2) << run.all();
    EXPECT_THAT(run.errors, HasSubstr("the result cannot be written: No space left"));
  }
}

TEST(Output, ThatIsClosedIsNoSuccessEither) {
  TcpServer server;
  for (const char* kind : {"--quiet", "--json"}) {
    const Ended run = ringload(server.port(), quick({kind}), {.output_closed = true});
    EXPECT_EQ(run.exit, 2) << run.all();
    EXPECT_THAT(run.errors, HasSubstr("the result cannot be written: Bad file descriptor"));
  }
}

// The first byte comes when the measuring has begun, as there is no warm-up.
TEST(Interrupt, ReportsWhatWasMeasuredSoFar) {
  for (const char* kind : {"--quiet", "--spin", "--churn"}) {
    TcpServer server;
    const std::vector<std::string> words{"--connections", "2",  "--warmup", "0",
                                         "--duration",    "50", kind};
    const Ended run = ringload(server.port(), words,
                               {.interrupt_when = [&] { return server.seen().bytes > 6400; }});
    EXPECT_EQ(run.exit, 130) << kind << ": " << run.all();
    EXPECT_THAT(run.output, ContainsRegex("requests +[1-9][0-9]*/s"));
    EXPECT_THAT(run.output, ContainsRegex("STOPPED +by a signal"));
  }
}

TEST(Interrupt, SaysSoInJson) {
  TcpServer server;
  const Ended run =
      ringload(server.port(), {"--json", "--warmup", "0", "--duration", "50", "--rate", "2000"},
               {.interrupt_when = [&] { return server.seen().bytes > 6400; }});
  EXPECT_EQ(run.exit, 130) << run.all();
  EXPECT_THAT(run.output, HasSubstr("\"interrupted\":true"));
  EXPECT_GT(run.number("requests"), 0);
}

TEST(Interrupt, NothingIsReportedOfAWarmUp) {
  TcpServer server;
  const Ended run = ringload(server.port(), {"--warmup", "50"},
                             {.interrupt_when = [&] { return server.seen().bytes > 0; }});
  EXPECT_EQ(run.exit, 130) << run.all();
  EXPECT_EQ(run.output, "");
  EXPECT_THAT(run.errors, HasSubstr("stopped; nothing was measured yet"));
}

TEST(Interrupt, ASweepEndsWithTheRatesBefore) {
  TcpServer server;
  // 100 messages of 64 bytes are the first rate; the second one has begun when there are more.
  const Ended run =
      ringload(server.port(),
               {"--connections", "4", "--sweep", "100,200,300", "--duration", "1", "--warmup", "0"},
               {.interrupt_when = [&] { return server.seen().bytes > 110 * 64; }});
  SKIP_WHERE_OTHERS_RAN(run, "\n +100 .*BEHIND");
  EXPECT_EQ(run.exit, 130) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("\n +100 +[0-9]+ "));
  EXPECT_THAT(run.output, Not(ContainsRegex("\n +200 ")));
  EXPECT_THAT(run.output, ContainsRegex("STOPPED +by a signal"));
}

TEST(Limit, ASlowServerLeavesTheGeneratorIdle) {
  TcpServer server({.delay = 20ms});
  const Ended run = ringload(server.port(), quick({"--connections", "1"}, "0.5"));
  EXPECT_EQ(run.exit, 0) << run.all();
  SKIP_WHERE_OTHERS_RAN(run, "as others ran there");
  EXPECT_THAT(run.output, HasSubstr("generator: not the limit (its thread "));
  EXPECT_THAT(run.output, Not(HasSubstr("LIMIT: the generator")));
}

// Keeps a core busy, so that a generator on it has no room left.
class Hog {
 public:
  explicit Hog(int cpu)
      : thread_([cpu](const std::stop_token& stop) {
          pin_to_cpu(cpu);
          while (!stop.stop_requested()) {
          }
        }) {}

 private:
  std::jthread thread_;
};

TEST(Limit, AGeneratorWhoseCoreIsFullIsTheLimit) {
  TcpServer server({.delay = 5ms});
  const int cpu = sched_getcpu();
  const Hog hog(cpu);
  const Ended run =
      ringload(server.port(), quick({"--connections", "1", "--cpu", std::to_string(cpu)}, "0.5"));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, HasSubstr("LIMIT: the generator (its core "));
  EXPECT_THAT(run.output, HasSubstr("--server-cpu or --server-pid"));
}

TEST(Sweep, SaysThatTheGeneratorCouldNotFollow) {
  TcpServer server({.delay = 20ms});
  const int cpu = sched_getcpu();
  const Hog hog(cpu);
  const Ended run = ringload(
      server.port(),
      quick({"--connections", "1", "--sweep", "500,1000", "--cpu", std::to_string(cpu)}, "0.4"));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, HasSubstr("the generator could not follow, so this says nothing about "
                                    "the server"));
}

TEST(Sweep, EveryRateIsARowAndAPoint) {
  TcpServer server;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("lab-sweep-" + std::to_string(getpid()));
  const std::unique_ptr<const std::filesystem::path, void (*)(const std::filesystem::path*)>
      removed_at_the_end(&folder, [](const auto* path) { std::filesystem::remove_all(*path); });
  const Ended run =
      ringload(server.port(),
               quick({"--connections", "8", "--sweep", "100,200", "--plot", folder.string()}));
  EXPECT_EQ(run.exit, 0) << run.all();
  SKIP_WHERE_OTHERS_RAN(run, "BEHIND");
  EXPECT_THAT(run.output, ContainsRegex("\n +100 +[0-9]+ .*\n +200 +[0-9]+ "));
  EXPECT_THAT(run.output, HasSubstr("every rate was reached"));
  EXPECT_THAT(run.output, ContainsRegex("\nlimit +[a-zA-Z]"));
  const std::string data = text_of(folder / "latency-over-load.tsv");
  EXPECT_THAT(data, ContainsRegex("\n100.0\t.*\n200.0\t"));
  if (std::system("command -v gnuplot >/dev/null") == 0) {
    EXPECT_THAT(text_of(folder / "latency-over-load.svg"), HasSubstr("p99.9"));
  } else {
    EXPECT_THAT(run.errors, HasSubstr("no picture: gnuplot"));
  }
}

TEST(Sweep, EndsAtTheFirstRateThatIsNotReached) {
  TcpServer server({.delay = 20ms});  // 50 answers a second, and not one more
  const Ended run =
      ringload(server.port(), quick({"--connections", "1", "--sweep", "10,500,1000"}, "0.4"));
  EXPECT_EQ(run.exit, 0) << run.all();
  SKIP_WHERE_OTHERS_RAN(run, "\n +10 .*BEHIND");
  EXPECT_THAT(run.output, ContainsRegex("\n +500 .*, BEHIND\n"));
  EXPECT_THAT(run.output, Not(ContainsRegex("\n +1000 ")));
  EXPECT_THAT(run.output, ContainsRegex("end +at 500/s only [0-9]+/s were answered"));
  SKIP_WHERE_OTHERS_RAN(run, "the generator could not follow|the generator was nearly full");
  EXPECT_THAT(run.output, HasSubstr("the generator had time left: the server could not follow"));
}

TEST(Sweep, AutoFindsThePeakFirst) {
  TcpServer server({.delay = 4ms});
  const Ended run =
      ringload(server.port(), quick({"--connections", "1", "--sweep", "auto", "--json"}, "0.1"));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, HasSubstr("\"peak\":{"));
  const double first = run.number("asked");
  const std::size_t peak = run.output.find("\"peak\":{");
  ASSERT_NE(peak, std::string::npos);
  const double at_peak = Ended{.exit = 0, .output = run.output.substr(peak), .errors = {}}.number(
      "requests_per_second");
  EXPECT_NEAR(first, at_peak / 10, at_peak / 100);
}

TEST(Churn, EveryConnectionIsUsedOnceAndEndsWithAFin) {
  TcpServer server;
  const Ended run =
      ringload(server.port(), few({"--connections", "4", "--churn", "--messages", "3", "--json"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_GT(run.number("churn_connections"), 0);
  const std::uint64_t connections = server.seen().connections - 1;  // without the look at the start
  EXPECT_GE(connections, static_cast<std::uint64_t>(run.number("churn_connections")));
  EXPECT_EQ(server.seen().bytes, connections * 3 * 64);
  EXPECT_EQ(server.seen().resets, 0U);
}

TEST(Churn, LingerResetEndsWithAReset) {
  TcpServer server;
  const Ended run =
      ringload(server.port(), few({"--connections", "4", "--churn", "--linger-reset"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("connections +[1-9][0-9]*/s"));
  EXPECT_THAT(run.output, ContainsRegex("connect +p50 .*\nwhole +p50 "));
  EXPECT_GT(server.seen().resets, 0U);
}

TEST(Churn, LargeMessagesComeBackWhole) {
  TcpServer server;
  const Ended run =
      ringload(server.port(), few({"--connections", "2", "--churn", "--size", "100KiB", "--json"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_GT(run.number("churn_connections"), 0);
  EXPECT_EQ(server.seen().bytes, (server.seen().connections - 1) * 102400);
}

TEST(Churn, AWrongByteEndsTheRun) {
  TcpServer server({.wrong_byte = 64});
  const Ended run = ringload(server.port(), few({"--connections", "2", "--churn"}));
  EXPECT_EQ(run.exit, 1) << run.all();
  EXPECT_THAT(run.output, ContainsRegex("FAILED.*byte 63: expected 0x"));
}

// A network namespace with 10 local ports: a thread of its own, whose children inherit it.
TEST(Churn, PortsThatRanOutAreExplained) {
  std::string skipped;
  Ended fin, reset;
  std::jthread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      skipped = "a network namespace needs root";
      return;
    }
    const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    check_errno(ioctl(fd.get(), SIOCSIFFLAGS, &request), "lo");
    TcpServer server;
    if (!(std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "61000 61009" << std::flush)) {
      skipped = "the port range cannot be changed";
      return;
    }
    const std::vector<std::string> words = quick({"--connections", "2", "--churn"});
    fin = ringload(server.port(), words);
    std::vector<std::string> more = words;
    more.emplace_back("--linger-reset");
    // The ports of the run before are in TIME_WAIT; on loopback they are free after a second.
    std::this_thread::sleep_for(1500ms);
    reset = ringload(server.port(), more);
  }).join();
  if (!skipped.empty()) GTEST_SKIP() << skipped;
  EXPECT_EQ(fin.exit, 1) << fin.all();
  EXPECT_THAT(fin.output, HasSubstr("no local port is left (EADDRNOTAVAIL): "));
  EXPECT_THAT(fin.output, HasSubstr("ip_local_port_range is 61000 61009"));
  EXPECT_THAT(fin.output, HasSubstr("Cure: --linger-reset"));
  EXPECT_EQ(reset.exit, 0) << reset.all();
}

}  // namespace
}  // namespace lab
