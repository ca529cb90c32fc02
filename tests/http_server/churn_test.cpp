// Connections that come and go, and end in every way there is. Afterwards the server holds as many
// descriptors as before, and still has each of its slots: as many clients at once find one.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

constexpr unsigned slots = 96;

struct Kind {
  std::string name;
  std::vector<std::string> flags;
  unsigned connections = 0;
  bool tls = false;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class HttpChurn : public testing::TestWithParam<Kind> {
 protected:
  HttpChurn() {
    folder_.write("index.html", "hello");
    folder_.write("large.bin", noise(2 << 20));
  }

  ServerProcess::Setup setup() const {
    std::vector<std::string> flags = GetParam().flags;
    flags.insert(flags.end(), {"--connections", fmt::format("{}", slots), "--stats-json",
                               stats_.path(), "--stats-interval-ms", "50"});
    return http_server(folder_.path(), std::move(flags));
  }
  static std::optional<test::TlsClientOptions> tls() {
    return GetParam().tls ? std::optional(test::TlsClientOptions{}) : std::nullopt;
  }
  void come_and_go(std::uint16_t port, unsigned number) const;
  /// As many as there are slots, all of them at once, and none is sent away for another.
  void fill_all_slots(std::uint16_t port) const;
  bool is_empty() const {
    return stats_.shows([](const Json& line) { return line["connections"].number() == 0; });
  }

  Folder folder_;
  StatsJson stats_;
};

void HttpChurn::come_and_go(std::uint16_t port, unsigned number) const {
  HttpClient client(port, 0, tls());
  switch (number % 64) {
    case 0:  // the client's FIN, after its answer
      EXPECT_EQ(client.get("/").status, 200);
      return;
    case 1:  // the server's
      EXPECT_EQ(client.get("/", "Connection: close\r\n").status, 200);
      EXPECT_TRUE(client.ended());
      return;
    case 2:
      client.send("GET / HTTP/1.1\n");
      EXPECT_EQ(client.answer().status, 400);
      EXPECT_TRUE(client.ended());
      return;
    case 3:  // a FIN into half a head
      client.send("GET / HT");
      return;
    case 4:  // a reset before anything
      return client.reset();
    case 5:  // into a large file, which is streamed
      client.ask("/large.bin");
      client.wait_for_bytes();
      return client.reset();
    case 6:  // with answers that nobody will read
      for (unsigned question = 0; question < 10; ++question) client.ask("/");
      return client.reset();
    default:  // no port is left in TIME_WAIT
      EXPECT_EQ(client.get("/").status, 200);
      return client.reset();
  }
}

void HttpChurn::fill_all_slots(std::uint16_t port) const {
  std::deque<HttpClient> clients;
  for (unsigned client = 0; client < slots; ++client) {
    clients.emplace_back(port, 0, tls());
    EXPECT_EQ(clients.back().get("/").body, "hello");
  }
  for (HttpClient& client : clients) EXPECT_EQ(client.get("/").body, "hello");
  for (HttpClient& client : clients) client.reset();
}

std::size_t entries(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    count += entry.path().empty() ? 0 : 1;
  return count;
}

/// For the supervisor and each worker.
std::string held(const ServerProcess& server) {
  std::vector<pid_t> processes = server.workers();
  processes.insert(processes.begin(), server.pid());
  std::string text;
  for (const pid_t process : processes) {
    text += fmt::format("process {}: {} descriptors\n", process,
                        entries(fmt::format("/proc/{}/fd", process)));
  }
  return text;
}

TEST_P(HttpChurn, LeavesNothing) {
  ServerProcess server(setup());
  const std::uint16_t port = server.port();
  // Each way once, so that what is made once is there.
  for (unsigned number = 0; number < 64; ++number) come_and_go(port, number);
  fill_all_slots(port);
  ASSERT_TRUE(is_empty());
  const std::string before = held(server);

  const unsigned connections = GetParam().connections / (sanitized ? 10 : 1);
  for (unsigned number = 0; number < connections && !HasFailure(); ++number)
    come_and_go(port, number);
  EXPECT_TRUE(is_empty());
  EXPECT_EQ(held(server), before);
  fill_all_slots(port);
  expect_drains(server);
  const Json last = stats_.lines().back();
  EXPECT_EQ(last["accepted"].number(), last["closed"].number());
  EXPECT_EQ(last["accepted"].number(), 64 + connections + 2 * slots);
  EXPECT_EQ(last["shed"].number(), 0);
}

INSTANTIATE_TEST_SUITE_P(Of, HttpChurn,
                         testing::Values(Kind{"Http", {}, 20'000},
                                         Kind{"Https", {"--tls", "self-signed"}, 300, true},
                                         Kind{"Reactors", {"--topology", "reactors"}, 2'000}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace lab
