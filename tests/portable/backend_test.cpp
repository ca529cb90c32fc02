// The servers where there is no io_uring: refused by a filter of system calls, as containers have
// it, or left alone on purpose.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "tests/refuse_calls.hpp"
#include "tests/server/server_process.hpp"
#include "tests/server/support.hpp"

namespace lab {
namespace {

std::vector<std::string> flags(std::vector<std::string> named) {
  for (const char* word :
       {"--port", "0", "--connections", "64", "--buffer-size", "1024", "--buffer-count", "1024"}) {
    named.emplace_back(word);
  }
  return named;
}

std::string first_line(const std::string& log) { return log.substr(0, log.find('\n')); }

// A ring is a descriptor that leads to "anon_inode:[io_uring]".
bool has_ring(pid_t process) {
  const std::filesystem::path folder = "/proc/" + std::to_string(process) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.find("io_uring") != std::string::npos) return true;
  }
  return false;
}

void expect_no_ring(const ServerProcess& server) {
  EXPECT_FALSE(has_ring(server.pid()));
  for (const pid_t worker : server.workers()) EXPECT_FALSE(has_ring(worker));
}

struct Filter {
  const char* name;
  std::vector<int> calls;
  unsigned error;
};

class WithoutRing : public testing::TestWithParam<Filter> {
 protected:
  static ServerProcess::Setup setup(std::vector<std::string> named) {
    const Filter filter = GetParam();
    return {.flags = flags(std::move(named)), .before = [filter] {
              for (const int call : filter.calls) refuse_calls({call}, filter.error);
            }};
  }
};

TEST_P(WithoutRing, AutoServesAndItsFirstLineSaysWhy) {
  ServerProcess server(setup({"--workers", "2", "--stats-interval-ms", "0"}));
  expect_serves(server);
  ASSERT_TRUE(server.logs("libuv"));
  const std::string line = first_line(server.log());
  EXPECT_NE(line.find("the portable engine serves: io_uring"), std::string::npos) << line;
  EXPECT_NE(line.find("Cure: "), std::string::npos) << line;
  expect_no_ring(server);
  expect_drains(server);
  EXPECT_NE(server.log().find("1 accepted"), std::string::npos) << server.log();
}

TEST_P(WithoutRing, IoUringIsRefusedWithItsCause) {
  ServerProcess server(setup({"--backend", "io_uring"}));
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 1);
  EXPECT_NE(server.log().find("cannot start"), std::string::npos) << server.log();
}

// The supervisor does without a ring, too: it sees the end of a worker and what is asked of it.
TEST_P(WithoutRing, ADeadWorkerIsReplaced) {
  ServerProcess server(setup({"--workers", "1"}));
  expect_serves(server);
  kill(server.workers().front(), SIGKILL);
  ASSERT_TRUE(server.logs("was ended by signal 9"));
  ASSERT_TRUE(server.logs("serves again"));
  expect_serves(server);
  server.signal(SIGUSR1);
  ASSERT_TRUE(server.logs(" accepted"));
  expect_drains(server);
}

INSTANTIATE_TEST_SUITE_P(By, WithoutRing,
                         testing::Values(Filter{"eperm", {SYS_io_uring_setup}, EPERM},
                                         Filter{"enosys",
                                                {SYS_io_uring_setup, SYS_io_uring_enter,
                                                 SYS_io_uring_register},
                                                ENOSYS},
                                         Filter{"enter_alone", {SYS_io_uring_enter}, EACCES}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Backend, PortableUsesNoRingWhereThereIsOne) {
  ServerProcess server(flags({"--workers", "2", "--backend", "portable"}));
  expect_serves(server);
  ASSERT_TRUE(server.logs("the portable engine, libuv"));
  EXPECT_NE(server.log().find("(--backend portable)"), std::string::npos);
  expect_no_ring(server);
  expect_drains(server);
}

TEST(Backend, AutoTakesIoUringWhereItWorks) {
  ServerProcess server(flags({"--workers", "1"}));
  server.port();
  if (!server.logs("io_uring, ")) {
    GTEST_SKIP() << "this machine has no io_uring for the server: " << server.log();
  }
  expect_serves(server);
  EXPECT_EQ(server.log().find("portable"), std::string::npos) << server.log();
  expect_drains(server);
}

TEST(Backend, AMissingFeatureThatIsRequiredIsToldByItsName) {
  ServerProcess server(flags({"--workers", "1", "--without", "recv-multishot"}));
  expect_serves(server);
  EXPECT_NE(first_line(server.log()).find("recv-multishot"), std::string::npos) << server.log();
  expect_drains(server);
}

// The log has one number of connections, the one that the workers keep to.
TEST(Backend, FewDescriptorsLowerTheConnectionsToOneNumber) {
  ServerProcess server({.flags = {"--port", "0", "--workers", "1", "--backend", "portable",
                                  "--connections", "1000", "--buffer-count", "64"},
                        .before = [] {
                          const rlimit both{256, 256};
                          if (setrlimit(RLIMIT_NOFILE, &both) != 0) _exit(125);
                        }});
  expect_serves(server);
  for (const char* words :
       {"not 1000 connections a worker: ulimit -Hn is 256, and each takes a descriptor",
        ", 192 connections a worker, "}) {
    EXPECT_NE(server.log().find(words), std::string::npos) << server.log();
  }
  EXPECT_EQ(server.log().find("256 connections"), std::string::npos) << server.log();
  expect_drains(server);
}

TEST(Backend, AnAdminProcessDoesWithoutARingToo) {
  ServerProcess server(
      flags({"--workers", "1", "--backend", "portable", "--admin", "127.0.0.1:0"}));
  expect_serves(server);
  ASSERT_TRUE(server.logs("metrics and health on"));
  expect_no_ring(server);
  expect_drains(server);
}

TEST(Backend, ASubmittingThreadNeedsIoUring) {
  ServerProcess server(flags({"--backend", "portable", "--sqpoll"}));
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 2);
  EXPECT_NE(server.log().find("--sqpoll"), std::string::npos) << server.log();
}

TEST(Backend, ReactorsNeedIoUring) {
  ServerProcess server(flags({"--backend", "portable", "--topology", "reactors"}));
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 2);
  EXPECT_NE(server.log().find("the portable engine does not have reactors"), std::string::npos)
      << server.log();
}

}  // namespace
}  // namespace lab
