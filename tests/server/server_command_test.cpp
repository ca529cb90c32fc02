// What a server has of its own beside what all servers share.

#include "06-server/lib/process/server_command.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/protocol/echo.hpp"

namespace lab {
namespace {

struct OtherServer {
  ServerCommand command{
      {.name = "other-server", .description = "Answers with a greeting.", .port = 8443}};
  std::string greeting = "none";

  explicit OtherServer(std::vector<const char*> words) {
    command.line().add_option("--greeting", greeting, "Said first").group("Greeting");
    words.insert(words.begin(), "other-server");
    command.parse(static_cast<int>(words.size()), words.data());
  }
};

// Each command runs in a process of its own, which it ends.

TEST(ServerCommandDeathTest, HasItsOwnDefaultPortAndOptions) {
  const auto parse = [] {
    const OtherServer server({"--greeting", "good day", "--buffer-count", "64"});
    const ServerOptions& options = server.command.options();
    std::exit(options.supervisor.listener.port == 8443 && options.worker.buffer_count == 64 &&
                      server.greeting == "good day"
                  ? 0
                  : 1);
  };
  EXPECT_EXIT(parse(), testing::ExitedWithCode(0), "");
}

TEST(ServerCommandDeathTest, HelpHasItsDescriptionItsOptionsAndThoseOfAllServers) {
  const auto help = [] {
    dup2(STDERR_FILENO, STDOUT_FILENO);  // which is what EXPECT_EXIT looks at
    OtherServer({"--help"});
  };
  EXPECT_EXIT(help(), testing::ExitedWithCode(0), "Answers with a greeting");
  EXPECT_EXIT(help(), testing::ExitedWithCode(0), "--port[^\n]*8443");
  EXPECT_EXIT(help(), testing::ExitedWithCode(0), "Greeting:\n *--greeting");
  EXPECT_EXIT(help(), testing::ExitedWithCode(0), "--drain-deadline-ms");
}

TEST(ServerCommandDeathTest, SaysItsOwnNameInFrontOfWhatIsWrong) {
  EXPECT_EXIT(OtherServer({"--buffer-count", "9"}), testing::ExitedWithCode(2),
              "^other-server: --buffer-count: 9 is not a power of two");
  EXPECT_EXIT(
      OtherServer({"--workers", "1024", "--buffer-count", "32768", "--buffer-size", "65536"}),
      testing::ExitedWithCode(2), "--workers: 1024 .* would take 2097152 MiB, and .* Cure");
  EXPECT_EXIT(OtherServer({"--without", "recv-bundle", "min-wait"}), testing::ExitedWithCode(2),
              "Cure: --without again, in front of each");
  EXPECT_EXIT(OtherServer({"--admin", "9090"}), testing::ExitedWithCode(2),
              "--admin: '9090' has no port. Cure: ADDRESS:PORT");
  EXPECT_EXIT(OtherServer({"--without", "luck"}), testing::ExitedWithCode(2),
              "^other-server: --without: 'luck' is no feature");
  EXPECT_EXIT(OtherServer({"--backend", "io_uring", "--without", "ring"}),
              testing::ExitedWithCode(1), "^other-server: cannot start");
  EXPECT_EXIT(OtherServer({}).command.refuse("--greeting: too long"), testing::ExitedWithCode(2),
              "^other-server: --greeting: too long");
  EXPECT_EXIT(OtherServer({}).command.fail("no greeting"), testing::ExitedWithCode(1),
              "^other-server: no greeting");
}

TEST(ServerCommandDeathTest, WhatTheConnectionsShareMayFailInItsOwnWords) {
  const auto serve_nothing = [] {
    OtherServer server({"--port", "0", "--workers", "1", "--connections", "64", "--buffer-count",
                        "64", "--buffer-size", "1024"});
    std::exit(serve<Echo>(server.command, []() -> std::unique_ptr<Echo::Shared> {
      throw std::runtime_error("the greeting is used up");
    }));
  };
  EXPECT_EXIT(serve_nothing(), testing::ExitedWithCode(1),
              "other-server: [^\n]*the greeting is used up");
}

}  // namespace
}  // namespace lab
