// D12 of the table at full size: a client that sends 5 MB before it looks for an answer gets its
// refusal, whole, and then a FIN. Closing at once would send a reset, which overtakes the answer.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

constexpr std::size_t five_mb = 5'000'000;
// The server listens on for 2 seconds. A client that a busy machine holds up for nearly as long has
// a reset coming, and tries again.
constexpr Clock::duration held_up = 1500ms;
constexpr unsigned attempts_max = 20;

struct Kind {
  std::string name;
  std::vector<std::string> flags;
  bool tls = false;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class HttpLingering : public testing::TestWithParam<Kind> {
 protected:
  HttpLingering() { folder_.write("index.html", "hello"); }

  static std::optional<test::TlsClientOptions> tls() {
    return GetParam().tls ? std::optional(test::TlsClientOptions{}) : std::nullopt;
  }
  /// Sends all of it, and only then reads.
  void expect_refused(std::uint16_t port, std::string_view begin, int status);
  /// One connection. @throws Failure when it is reset
  static void send_and_read(HttpClient& client, std::string_view begin, int status);

  // Few and small ones: what is thrown away needs none.
  std::vector<std::string> flags() const {
    std::vector<std::string> all = GetParam().flags;
    all.insert(all.end(), {"--buffer-count", "16", "--buffer-size", "4096"});
    return all;
  }

  Folder folder_;
};

void HttpLingering::send_and_read(HttpClient& client, std::string_view begin, int status) {
  client.send(begin);
  const std::string part(100'000, 'x');
  for (std::size_t sent = 0; sent < five_mb; sent += part.size()) client.send(part);
  const test::HttpAnswer answer = client.answer();
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.body.substr(0, 3), fmt::format("{}", status));
  EXPECT_TRUE(client.ended()) << "no FIN, or something before it";
}

void HttpLingering::expect_refused(std::uint16_t port, std::string_view begin, int status) {
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    HttpClient client(port, 0, tls());
    const Clock::time_point start = Clock::now();
    try {
      return send_and_read(client, begin, status);
    } catch (const Failure& failure) {
      if (Clock::now() - start < held_up) FAIL() << status << ": " << failure.what();
    }
  }
  GTEST_SKIP() << "5 MB take longer than the server listens on, each time";
}

TEST_P(HttpLingering, ARefusalIsReadBehindFiveMegabytes) {
  ServerProcess server(http_server(folder_.path(), flags()));
  const std::uint16_t port = server.port();
  expect_refused(
      port, fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", five_mb), 413);
  expect_refused(port, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 431);
  expect_refused(port, "GET /", 414);
  // Of a body that is within the bounds: the method alone is refused, and the connection stays.
  HttpClient small(port, 0, tls());
  small.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  small.send(std::string(1'000'000, 'x'));
  EXPECT_EQ(small.answer().status, 405);
  EXPECT_EQ(small.get("/").body, "hello");
  small.reset();
  expect_drains(server);
}

std::vector<Kind> kinds() {
  std::vector<Kind> all = {{"Http", {}}, {"Https", {"--tls", "self-signed"}, true}};
#ifdef LAB_HAS_LIBUV
  all.push_back({"Portable", {"--backend", "portable"}});
#endif
  return all;
}

INSTANTIATE_TEST_SUITE_P(Of, HttpLingering, testing::ValuesIn(kinds()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace lab
