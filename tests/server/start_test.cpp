// How the server starts: what it prints, what it refuses and how it says so, and what it makes do
// with.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <regex>
#include <sstream>

#include "01-core/lib/features.hpp"
#include "03-network/lib/listener.hpp"
#include "tests/server/server_process.hpp"

namespace lab {
namespace {

// Quick to start; what a test names stands in the place of that.
std::vector<std::string> flags(std::vector<std::string> named) {
  const std::pair<const char*, const char*> quick[] = {{"--port", "0"},
                                                       {"--workers", "1"},
                                                       {"--connections", "64"},
                                                       {"--buffer-size", "1024"},
                                                       {"--buffer-count", "1024"}};
  for (const auto& [option, value] : quick) {
    if (std::find(named.begin(), named.end(), option) == named.end()) {
      named.insert(named.end(), {option, value});
    }
  }
  return named;
}

// It does not start, and says why: with each of these words.
void expect_refused(ServerProcess& server, const std::vector<std::string>& words,
                    std::optional<int> code = std::nullopt) {
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end) << "it started";
  EXPECT_TRUE(end->exited) << "by signal " << end->code;
  EXPECT_NE(end->code, 0);
  EXPECT_EQ(end->code, code.value_or(end->code));
  for (const std::string& word : words) {
    EXPECT_NE(server.log().find(word), std::string::npos) << "no \"" << word << "\" in\n"
                                                          << server.log();
  }
}

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  if (setrlimit(static_cast<__rlimit_resource>(resource), &both) != 0) _exit(125);
}

// --- what it prints ---

TEST(Start, TheFirstLineOfTheLogSaysWhatIsInUse) {
  ServerProcess server(flags({}));
  ASSERT_TRUE(server.logs("echo-server: "));
  const std::string first = server.log().substr(0, server.log().find('\n'));
  const std::string words[] = {"echo-server: ",
                               kernel_release(),
                               "DEFER_TASKRUN",
                               "64 connections a worker",
                               "1024 buffers of 1024 bytes",
                               "pages",
                               "zero copy",
                               "sockets",
                               "1 worker"};
  for (const std::string& word : words) {
    EXPECT_NE(first.find(word), std::string::npos) << "no \"" << word << "\" in " << first;
  }
  expect_drains(server);
}

TEST(Start, Port0TakesAPortAndPrintsIt) {
  ServerProcess server(flags({}));
  EXPECT_NE(server.port(), 0);
  EXPECT_EQ(server.output(), fmt::format("listening on 127.0.0.1:{}\n", server.port()));
  expect_serves(server);
  expect_drains(server);
}

TEST(Start, HelpNamesEveryOption) {
  ServerProcess server({"--help"});
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 0);
  for (const char* option : {"--help",
                             "--version",
                             "--address",
                             "--ipv6-only",
                             "--port",
                             "--backlog",
                             "--defer-accept-s",
                             "--socket-options",
                             "--user-timeout-ms",
                             "--congestion",
                             "--send-buffer",
                             "--receive-buffer",
                             "--connections",
                             "--buffer-count",
                             "--buffer-size",
                             "--buffer-group",
                             "--zero-copy",
                             "--zero-copy-threshold",
                             "--idle-timeout-ms",
                             "--sqpoll",
                             "--rate",
                             "--burst",
                             "--rate-total",
                             "--max-connections-per-client",
                             "--max-delay-ms",
                             "--rate-prefix",
                             "--rate-entries",
                             "--allow",
                             "--deny",
                             "--workers",
                             "--steer",
                             "--topology",
                             "--connection-balance",
                             "--no-pin",
                             "--drain-deadline-ms",
                             "--stats-interval-ms",
                             "--stats-json",
                             "--admin",
                             "--log-time",
                             "--backend",
                             "--without"}) {
    EXPECT_NE(server.output().find(std::string(option) + " "), std::string::npos) << option;
  }
}

TEST(Start, ASecondHelpIsNotNeededForTheCommonFlags) {
  ServerProcess server(
      flags({"--zero-copy", "always", "--socket-options", "plain", "--congestion", "reno",
             "--idle-timeout-ms", "0", "--user-timeout-ms", "0", "--backlog", "16",
             "--buffer-group", "7", "--stats-interval-ms", "0"}));
  expect_serves(server);
  EXPECT_TRUE(server.logs("zero copy always"));
  EXPECT_NE(server.log().find("plain sockets"), std::string::npos);
  expect_drains(server);
}

// --- what it refuses ---

struct Refusal {
  const char* name;
  std::vector<std::string> flags;
  std::vector<std::string> words;
  int code = 2;  // wrong use; 1: it would be right on another machine, or at another time
};

class Refuses : public testing::TestWithParam<Refusal> {};

TEST_P(Refuses, ABadValueByOptionValueAndCause) {
  ServerProcess server(flags(GetParam().flags));
  expect_refused(server, GetParam().words, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Start, Refuses,
    testing::Values(
        Refusal{"BufferCountIsNoPowerOfTwo",
                {"--buffer-count", "100"},
                {"--buffer-count", "100", "power of two", "8", "32768"}},
        Refusal{
            "BufferCountTooSmall", {"--buffer-count", "4"}, {"--buffer-count", "4", "8", "32768"}},
        Refusal{"BufferCountTooLarge",
                {"--buffer-count", "65536"},
                {"--buffer-count", "65536", "8", "32768"}},
        Refusal{"BufferSizeIsNoMultipleOf8",
                {"--buffer-size", "100"},
                {"--buffer-size", "100", "multiple of 8", "64", "65536"}},
        Refusal{
            "BufferSizeTooSmall", {"--buffer-size", "8"}, {"--buffer-size", "8", "64", "65536"}},
        Refusal{"BufferGroup", {"--buffer-group", "65536"}, {"--buffer-group", "65536", "65535"}},
        Refusal{"Connections", {"--connections", "0"}, {"--connections", "0", "1", "1000000"}},
        Refusal{"ConnectionsNoNumber", {"--connections", "many"}, {"--connections", "many"}},
        Refusal{"PortTooLarge", {"--port", "65536"}, {"--port", "65536", "0", "65535"}},
        Refusal{"PortNoNumber", {"--port", "http"}, {"--port", "http"}},
        Refusal{"RateWithoutATime", {"--rate", "10"}, {"--rate", "'10'", "10/s"}},
        Refusal{"RateOfNothing", {"--rate", "0/s"}, {"--rate", "'0/s'", "1/s", "1000000/s"}},
        Refusal{"RateTooHigh", {"--rate-total", "1000001/s"}, {"--rate-total", "1000000/s"}},
        Refusal{"RateOfAnHour", {"--rate", "10/h"}, {"--rate", "'10/h'", "10/s"}},
        Refusal{"BurstOfNothing", {"--rate", "1/s", "--burst", "0"}, {"--burst", "0", "1"}},
        Refusal{"BurstAlone", {"--burst", "10"}, {"--burst", "alone", "--rate 10/s"}},
        Refusal{"EntriesAlone", {"--rate-entries", "100"}, {"--rate-entries", "alone", "--rate"}},
        Refusal{"PrefixAlone",
                {"--rate-prefix", "48"},
                {"--rate-prefix", "alone", "--max-connections-per-client"}},
        Refusal{"PrefixTooLong",
                {"--rate", "1/s", "--rate-prefix", "129"},
                {"--rate-prefix", "129", "32", "128"}},
        Refusal{"NoConnectionsPerClient",
                {"--max-connections-per-client", "0"},
                {"--max-connections-per-client", "0", "1"}},
        Refusal{"NoNetwork", {"--deny", "everybody"}, {"--deny", "everybody", "192.0.2.0/24"}},
        Refusal{"NetworkWithBitsBehind",
                {"--allow", "192.0.2.1/24"},
                {"--allow", "192.0.2.1/24", "bits behind", "Cure"}},
        Refusal{"Backlog", {"--backlog", "0"}, {"--backlog", "0", "1", "65535"}},
        Refusal{"DeferAccept", {"--defer-accept-s", "3601"}, {"--defer-accept-s", "3600"}},
        Refusal{"NoWorkers", {"--workers", "0"}, {"--workers", "0", "1", "1024"}},
        Refusal{"ZeroCopy", {"--zero-copy", "often"}, {"--zero-copy", "often", "always", "never"}},
        Refusal{"ThresholdAboveTheBuffer",
                {"--zero-copy-threshold", "2048"},
                {"--zero-copy-threshold", "2048", "1024", "larger than a buffer"}},
        Refusal{"ThresholdNegative",
                {"--zero-copy-threshold", "-1"},
                {"--zero-copy-threshold", "-1", "0", "65536"}},
        Refusal{
            "IdleTimeout", {"--idle-timeout-ms", "86400001"}, {"--idle-timeout-ms", "86400000"}},
        Refusal{"UserTimeout", {"--user-timeout-ms", "3600001"}, {"--user-timeout-ms", "3600000"}},
        Refusal{"DrainDeadline", {"--drain-deadline-ms", "x"}, {"--drain-deadline-ms", "x"}},
        Refusal{"StatsInterval", {"--stats-interval-ms", "-5"}, {"--stats-interval-ms", "-5"}},
        Refusal{"Steer", {"--steer", "left"}, {"--steer", "left", "auto", "cpu", "hash", "source"}},
        Refusal{
            "SteerByCpuUnpinned", {"--steer", "cpu", "--no-pin"}, {"--steer", "cpu", "--no-pin"}},
        Refusal{
            "Topology", {"--topology", "ring"}, {"--topology", "ring", "reuseport", "reactors"}},
        Refusal{"SteerReactors",
                {"--topology", "reactors", "--steer", "hash"},
                {"--steer", "reactors", "--connection-balance"}},
        Refusal{"BalanceOfProcesses",
                {"--connection-balance", "fewest"},
                {"--connection-balance", "--topology reactors", "--steer"}},
        Refusal{"SocketOptions",
                {"--socket-options", "fast"},
                {"--socket-options", "fast", "tuned", "plain"}},
        Refusal{"AddressIsAName", {"--address", "localhost"}, {"--address", "localhost", "IPv4"}},
        Refusal{"AddressOfNobodyHere",
                {"--address", "192.0.2.1"},
                {"--address", "192.0.2.1", "no interface"},
                1},
        Refusal{"IPv6OnlyWithIPv4", {"--ipv6-only"}, {"--ipv6-only", "127.0.0.1", "IPv4"}},
        Refusal{"Hexadecimal", {"--connections", "0x10"}, {"--connections", "0x10", "decimal"}},
        Refusal{"Exponent", {"--connections", "1e3"}, {"--connections", "1e3", "decimal"}},
        Refusal{"Congestion",
                {"--congestion", "hope"},
                {"--congestion", "hope", "No such file", "available"}},
        Refusal{"StatsJson",
                {"--stats-json", "/nowhere/stats"},
                {"--stats-json", "/nowhere/stats", "No such file"},
                1},
        Refusal{"Without", {"--without", "luck"}, {"--without", "luck", "doctor"}},
        Refusal{"UnknownOption", {"--fast"}, {"--fast"}}, Refusal{"NoOption", {"fast"}, {"fast"}},
        Refusal{"MistypedOption",
                {"--tls-crt", "chain.pem"},
                {"--tls-crt", "Did you mean --tls-cert?"}},
        Refusal{"MistypedOptionWithItsValue", {"--prot=80"}, {"Did you mean --port?"}}),
    [](const auto& one) { return one.param.name; });

TEST(Start, MoreWorkersThanCpusCannotBeSteeredByCpu) {
  ServerProcess server({"--port", "0", "--workers", "1000", "--steer", "cpu"});
  expect_refused(server, {"--steer", "cpu", "1000 workers", "hash"}, 2);
}

TEST(Start, APortInUseIsAClearError) {
  for (const char* workers : {"1", "2"}) {
    ServerProcess first(flags({"--workers", workers}));
    const std::string port = std::to_string(first.port());
    ServerProcess second(flags({"--port", port}));
    expect_refused(second, {port, "127.0.0.1", "in use"}, 1);
    ServerProcess third(flags({"--port", port, "--workers", "2"}));
    expect_refused(third, {port, "127.0.0.1", "in use"}, 1);
    expect_serves(first);
  }
}

TEST(Start, AnAddressThatNeedsAnInterfaceIsAClearError) {
  ServerProcess server(flags({"--address", "fe80::1"}));
  expect_refused(server, {"--address", "fe80::1", "link-local", "Cure"}, 1);
}

TEST(Start, AListenerWithReusePortIsNotJoined) {
  const Listener other(ListenerOptions{.reuse_port = true});
  const std::string port = std::to_string(other.port());
  for (const char* workers : {"1", "2"}) {
    ServerProcess server(flags({"--port", port, "--workers", workers}));
    expect_refused(server, {port, "in use"}, 1);
  }
}

TEST(Start, AnUnprivilegedPortIsRefusedWithItsCause) {
  ServerProcess server(
      ServerProcess::Setup{.flags = flags({"--port", "80"}), .unprivileged = true});
  const std::optional<Exit> end = server.wait(2s);
  if (!end) GTEST_SKIP() << "here everybody may listen on port 80";
  expect_refused(server, {"--port", "80", "only root"}, 1);
}

TEST(Start, AFileThatMayNotBeWrittenIsNotThePortsFault) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a file of another user";
  const StatsJson stats;  // of root, mode 600
  ServerProcess server(
      ServerProcess::Setup{.flags = flags({"--stats-json", stats.path()}), .unprivileged = true});
  expect_refused(server, {"--stats-json", stats.path(), "Permission denied"}, 1);
  EXPECT_EQ(server.log().find("root"), std::string::npos) << server.log();
}

TEST(Start, ZerosInFrontOfANumberMeanNothing) {
  ServerProcess server(flags({"--connections", "010"}));
  EXPECT_TRUE(server.logs(", 10 connections a worker"));
  expect_drains(server);
}

TEST(Start, EveryLineOfTheLogHasItsTimeOnRequest) {
  ServerProcess server(flags({"--log-time"}));
  server.port();
  expect_drains(server);
  const std::regex line("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z echo-server: .*");
  std::istringstream log(server.log());
  unsigned lines = 0;
  for (std::string text; std::getline(log, text); ++lines) {
    EXPECT_TRUE(std::regex_match(text, line)) << text;
  }
  EXPECT_GT(lines, 1U);
}

// --- signals ---

TEST(Signals, EachOfTheseDrainsAndIsNamed) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    ServerProcess server(flags({}));
    expect_serves(server);
    server.signal(signal);
    const std::optional<Exit> end = server.wait();
    ASSERT_TRUE(end);
    EXPECT_TRUE(end->exited) << "by signal " << end->code;
    EXPECT_EQ(end->code, 0);
    EXPECT_NE(server.log().find(fmt::format("SIG{}: draining", sigabbrev_np(signal))),
              std::string::npos)
        << server.log();
  }
}

TEST(Signals, EachOfTheseWritesTheStatistics) {
  const StatsJson stats;
  ServerProcess server(flags({"--stats-interval-ms", "0", "--stats-json", stats.path()}));
  server.port();
  std::size_t lines = 0;
  for (const int signal : {SIGUSR1, SIGUSR2}) {
    server.signal(signal);
    EXPECT_TRUE(server.logs("0 connections | "));
    EXPECT_TRUE(eventually([&] { return stats.lines().size() == lines + 1; }));
    ++lines;
  }
  expect_serves(server);
  expect_drains(server);
}

TEST(Signals, AHangupThatWasIgnoredStaysIgnored) {
  ServerProcess server(
      {.flags = flags({}), .before = [] { signal(SIGHUP, SIG_IGN); }});  // as nohup does
  server.port();
  server.signal(SIGHUP);
  server.signal(SIGUSR1);
  EXPECT_TRUE(server.logs("0 connections | "));  // the one that came after it was obeyed
  expect_serves(server);
  expect_drains(server);
}

// --- what is written to whom ---

// The server's processes have this pipe open, so it never breaks; nobody reads it.
TEST(Output, AFullLogThatNobodyReadsStopsNothing) {
  ServerProcess server({.flags = flags({"--workers", "2", "--stats-interval-ms", "20"}),
                        .before = [] { fill_pipe_at(STDERR_FILENO); }});
  expect_serves(server);
  const std::vector<pid_t> before = server.workers();
  ASSERT_EQ(kill(before.back(), SIGKILL), 0);  // the server will want to say so
  ASSERT_TRUE(eventually([&] {
    const std::vector<pid_t> now = server.workers();
    return now.size() == 2 && now.back() != before.back();
  }));
  for (unsigned number = 0; number < 10; ++number) expect_serves(server);
  expect_drains(server);
}

TEST(Output, AFullLogThatNobodyReadsStopsNoStartWithAWarning) {
  ServerProcess server({.flags = flags({"--connections", "1000"}), .before = [] {
                          fill_pipe_at(STDERR_FILENO);
                          limit(RLIMIT_NOFILE, 64);
                        }});
  expect_serves(server);
  expect_drains(server);
}

TEST(Output, ALogWhoseReaderIsGoneEndsNoStart) {
  const auto break_stderr = [] {
    int ends[2];
    if (pipe(ends) != 0) _exit(125);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    std::signal(SIGPIPE, SIG_DFL);
    limit(RLIMIT_NOFILE, 64);
  };
  ServerProcess warned({.flags = flags({"--connections", "1000"}), .before = break_stderr});
  expect_serves(warned);
  expect_drains(warned);
  ServerProcess refused({.flags = flags({"--buffer-count", "9"}), .before = break_stderr});
  expect_refused(refused, {}, 2);
}

TEST(Output, AFullLogThatNobodyReadsHidesNoFailedStart) {
  ServerProcess server(
      {.flags = flags({"--buffer-count", "32768", "--buffer-size", "65536"}), .before = [] {
         fill_pipe_at(STDERR_FILENO);
         const rlimit little{256 << 20, 256 << 20};
         setrlimit(RLIMIT_AS, &little);
       }});
  if (sanitized) GTEST_SKIP() << "a sanitizer needs more address space than the limit";
  expect_refused(server, {}, 1);
}

TEST(Output, AFullStandardOutputThatNobodyReadsStopsNothing) {
  const std::uint16_t port = free_port();
  ServerProcess server({.flags = flags({"--port", std::to_string(port)}), .before = [] {
                          fill_pipe_at(STDOUT_FILENO);
                          fill_pipe_at(STDERR_FILENO);
                        }});
  ASSERT_TRUE(eventually([&] {
    try {
      Stream client = connect_to(port);
      ping(client);
      return true;
    } catch (const Failure&) {
      return false;
    }
  }));
  expect_drains(server);
}

TEST(Output, StatisticsThatNobodyReadsStopNothingAndAreMissed) {
  ServerProcess server({.flags = flags({"--stats-json", "-", "--stats-interval-ms", "20"}),
                        .before = [] { fill_pipe_at(STDOUT_FILENO); }});
  expect_serves(server);
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 1);
  EXPECT_TRUE(server.logs("--stats-json -: statistics are lost: nobody reads them"));
}

TEST(Output, StandardOutputIsJsonAloneWhereItWasAskedFor) {
  ServerProcess server(flags({"--stats-json", "-", "--stats-interval-ms", "0"}));
  expect_serves(server);
  EXPECT_NE(server.log().find("echo-server: listening on "), std::string::npos);
  expect_drains(server);
  std::istringstream output(server.output());
  unsigned lines = 0;
  for (std::string line; std::getline(output, line); ++lines) {
    EXPECT_EQ(JsonReader::read(line)["accepted"].number(), 1);
  }
  EXPECT_EQ(lines, 1U);
}

TEST(Output, AClosedStandardOutputIsNoPlaceForStatistics) {
  ServerProcess server(
      {.flags = flags({"--stats-json", "-"}), .before = [] { close(STDOUT_FILENO); }});
  expect_refused(server, {"--stats-json", "closed"}, 2);
}

TEST(Output, AFullDeviceForStatisticsIsSaidAndNoSuccess) {
  ServerProcess server(flags({"--stats-json", "/dev/full"}));
  expect_serves(server);
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 1);
  EXPECT_TRUE(server.logs("--stats-json /dev/full: statistics are lost: No space left"));
}

TEST(Output, AFileSizeLimitIsSaidAndNoSuccess) {
  const StatsJson stats;
  ServerProcess server(
      {.flags = flags({"--stats-json", stats.path()}), .before = [] { limit(RLIMIT_FSIZE, 100); }});
  expect_serves(server);
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited) << "by signal " << end->code;
  EXPECT_EQ(end->code, 1);
  EXPECT_TRUE(server.logs("statistics are lost: File too large"));
}

TEST(Output, AFullDeviceForStandardOutputIsSaid) {
  const std::uint16_t port = free_port();
  ServerProcess server({.flags = flags({"--port", std::to_string(port)}),
                        .before = [] { dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO); }});
  EXPECT_TRUE(server.logs("'listening on' could not be written: No space left"));
  expect_drains(server);
}

// A FIFO for the statistics that goes away with the test.
class Fifo {
 public:
  Fifo() : path_(fmt::format("/tmp/lab-fifo-{}", getpid())) {
    unlink(path_.c_str());
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
  }
  ~Fifo() { unlink(path_.c_str()); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(Output, AFifoWithoutAReaderIsRefusedBeforeAnythingIsTaken) {
  const Fifo fifo;
  ServerProcess server(flags({"--stats-json", fifo.path()}));
  expect_refused(server, {"--stats-json", fifo.path(), "reader"}, 1);
}

TEST(Output, AFifoGetsTheStatisticsAndItsReaderMayStop) {
  const Fifo fifo;
  const Fd reader(open(fifo.path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(fcntl(reader.get(), F_SETPIPE_SZ, 4096), 0);
  ServerProcess server(flags({"--stats-json", fifo.path(), "--stats-interval-ms", "0"}));
  server.port();
  for (unsigned line = 0; line < 20; ++line) {  // of nearly 1 KB each
    server.signal(SIGUSR1);
    ASSERT_TRUE(server.logs("0 connections | "));
  }
  std::array<char, 11> begin;
  ASSERT_TRUE(eventually([&] { return read(reader.get(), begin.data(), begin.size()) == 11; }));
  EXPECT_EQ(std::string(begin.data(), begin.size()), "{\"seconds\":");
  expect_serves(server);
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 1) << "not all of them were read";
  EXPECT_TRUE(server.logs("statistics are lost: nobody reads them"));
}

TEST(Output, ASecondServerOnThePortLeavesTheStatisticsOfTheFirst) {
  const StatsJson stats;
  ServerProcess first(flags({"--stats-json", stats.path(), "--stats-interval-ms", "20"}));
  const std::string port = std::to_string(first.port());
  ASSERT_TRUE(eventually([&] { return stats.lines().size() > 3; }));
  ServerProcess second(flags({"--port", port, "--stats-json", stats.path()}));
  expect_refused(second, {"in use"}, 1);
  EXPECT_GT(stats.lines().size(), 3U);
}

// --- addresses ---

TEST(Start, ListensOnIPv6) {
  ServerProcess server(flags({"--address", "::1"}));
  const std::uint16_t port = server.port();
  EXPECT_EQ(server.output(), fmt::format("listening on [::1]:{}\n", port));
  expect_serves(server, "::1");
  EXPECT_THROW(connect_to(port), Failure);
  expect_drains(server);
}

TEST(Start, ListensOnBothFamilies) {
  ServerProcess server(flags({"--address", "::"}));
  expect_serves(server, "::1");
  expect_serves(server, "127.0.0.1");
  expect_drains(server);
}

TEST(Start, ListensOnIPv6Only) {
  ServerProcess server(flags({"--address", "::", "--ipv6-only"}));
  expect_serves(server, "::1");
  EXPECT_THROW(connect_to(server.port()), Failure);
  expect_drains(server);
}

TEST(Start, ListensOnEveryInterface) {
  ServerProcess server(flags({"--address", "0.0.0.0"}));
  expect_serves(server, "127.0.0.1");
  expect_drains(server);
}

// --- older kernels ---

TEST(Start, WorksWithoutEachFeatureThatIsNotRequired) {
  for (unsigned index = 0; index < static_cast<unsigned>(Feature::count); ++index) {
    const FeatureInfo& info = Features::info(static_cast<Feature>(index));
    ServerProcess server(
        flags({"--zero-copy", "always", "--backend", "io_uring", "--without", info.name}));
    if (info.required) {
      expect_refused(server, {"cannot start"}, 1);
    } else {
      expect_serves(server);
      expect_drains(server);
    }
  }
}

TEST(Start, WorksWithoutAnyFeatureThatIsNotRequired) {
  std::vector<std::string> all = flags({"--zero-copy", "auto", "--address", "0.0.0.0"});
  for (unsigned index = 0; index < static_cast<unsigned>(Feature::count); ++index) {
    const FeatureInfo& info = Features::info(static_cast<Feature>(index));
    if (!info.required) all.insert(all.end(), {"--without", info.name});
  }
  ServerProcess server(all);
  expect_serves(server);
  expect_drains(server);
}

TEST(Start, SqpollWorks) {
  ServerProcess server(flags({"--sqpoll"}));
  expect_serves(server);
  EXPECT_TRUE(server.logs("SQPOLL"));
  expect_drains(server);
}

// --- low limits ---

TEST(Limits, TooFewDescriptorsNameTheirLimit) {
  if (sanitized) GTEST_SKIP() << "a sanitizer checks types through descriptors of its own";
  for (const rlim_t descriptors : {6, 8, 10, 12}) {
    ServerProcess server(
        ServerProcess::Setup{.flags = flags({"--workers", "4", "--connections", "4"}),
                             .before = [descriptors] { limit(RLIMIT_NOFILE, descriptors); }});
    expect_refused(server, {"ulimit -n"}, 1);
    EXPECT_EQ(server.log().find("accepted"), std::string::npos)
        << "statistics of what never ran: " << server.log();
  }
}

TEST(Limits, FewDescriptorsLowerTheConnectionsWithAWarning) {
  ServerProcess server(ServerProcess::Setup{.flags = flags({"--connections", "1000"}),
                                            .before = [] { limit(RLIMIT_NOFILE, 64); }});
  server.port();
  EXPECT_TRUE(server.logs("64 connections a worker instead of 1000"));
  std::vector<Stream> clients;
  for (unsigned number = 0; number < 64; ++number) {
    clients.push_back(connect_to(server.port()));
    ping(clients.back());
  }
  Stream waiting = connect_to(server.port());
  waiting.send(10, soon());
  clients.clear();
  waiting.receive(10, soon());
  expect_drains(server);
}

TEST(Limits, LittleLockedMemoryIsSaidAndBuffersGoUnregistered) {
  ServerProcess server(ServerProcess::Setup{
      .flags = {"--port", "0", "--workers", "1", "--connections", "64", "--zero-copy", "always"},
      .before =
          [] {
            limit(RLIMIT_MEMLOCK, 8 << 20);
            prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // only plain pages are registered at all
          },
      .unprivileged = true});
  server.port();
  if (server.log().find(" in huge pages") != std::string::npos) {
    GTEST_SKIP() << "reserved huge pages are not registered";
  }
  EXPECT_TRUE(server.logs("buffers not registered"));
  EXPECT_NE(server.log().find("ulimit -l"), std::string::npos);
  expect_serves(server);
  expect_drains(server);
}

TEST(Limits, TooLittleLockedMemoryIsAClearError) {
  ServerProcess server(ServerProcess::Setup{
      .flags = flags({}), .before = [] { limit(RLIMIT_MEMLOCK, 64 << 10); }, .unprivileged = true});
  const std::optional<Exit> end = server.wait(5s);
  if (!end) GTEST_SKIP() << "this kernel does not charge ring memory";
  expect_refused(server, {"ulimit -l"}, 1);
}

// io_uring_setup fails with this error for this process and its children, as in a container.
void deny_io_uring(int error) {
  const std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(),
                          .filter = const_cast<sock_filter*>(program.data())};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    _exit(125);
  }
}

TEST(Limits, IoUringSwitchedOffIsAClearError) {
  ServerProcess server(ServerProcess::Setup{.flags = flags({"--backend", "io_uring"}),
                                            .before = [] { deny_io_uring(EPERM); }});
  expect_refused(server, {"cannot start", "forbids io_uring", "io_uring_disabled"}, 1);
}

TEST(Limits, NoIoUringIsAClearError) {
  ServerProcess server(ServerProcess::Setup{.flags = flags({"--backend", "io_uring"}),
                                            .before = [] { deny_io_uring(ENOSYS); }});
  expect_refused(server, {"cannot start", "no io_uring", "6.1"}, 1);
}

TEST(Start, WhatCannotBeSaidDoesNotChangeTheExitCode) {
  const auto fill_stderr = [] { dup2(open("/dev/full", O_WRONLY), STDERR_FILENO); };
  ServerProcess refused({.flags = flags({"--buffer-count", "9"}), .before = fill_stderr});
  expect_refused(refused, {}, 2);
  ServerProcess unknown({.flags = flags({"--fast"}), .before = fill_stderr});
  expect_refused(unknown, {}, 2);
}

TEST(Start, AHelpThatNobodyGotIsNoSuccess) {
  ServerProcess server(
      {.flags = {"--help"}, .before = [] { dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO); }});
  expect_refused(server, {"cannot be written"}, 1);
}

TEST(Limits, ALogThatNobodyReadsEndsNothing) {
  ServerProcess server(flags({"--workers", "2"}));
  server.port();
  server.close_pipes();
  const std::vector<pid_t> before = server.workers();
  ASSERT_EQ(kill(before.back(), SIGKILL), 0);  // the server will want to say so
  ASSERT_TRUE(eventually([&] {
    const std::vector<pid_t> now = server.workers();
    return now.size() == 2 && now.back() != before.back();
  }));
  for (unsigned number = 0; number < 10; ++number) expect_serves(server);
  expect_drains(server);
}

}  // namespace
}  // namespace lab
