// What is too much for the server, and what it says then: each limit by its flag, at its edge.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

class HttpLimits : public testing::Test {
 protected:
  HttpLimits() {
    folder_.write("index.html", "hello");
    folder_.write("large.bin", large_);
  }

  ServerProcess::Setup with(std::vector<std::string> flags) const {
    return http_server(folder_.path(), std::move(flags));
  }

  Folder folder_;
  const std::string large_ = noise(8 << 20);
};

std::string request(std::string_view path, std::string_view fields) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n{}\r\n", path, fields);
}

// With a header field that fills it up.
std::string request_of(std::size_t bytes) {
  const std::size_t without = request("/", "Fill: \r\n").size();
  return request("/", fmt::format("Fill: {:x<{}}\r\n", "", bytes - without));
}

bool says_close(const test::HttpAnswer& answer) {
  const std::string* connection = answer.field("Connection");
  return connection != nullptr && *connection == "close";
}

/// One connection: what is just allowed gets 200, and then what is too much its status and the end.
void expect_edge(std::uint16_t port, const std::string& allowed, const std::string& too_much,
                 int status) {
  HttpClient client(port);
  client.send(allowed);
  const test::HttpAnswer good = client.answer();
  EXPECT_EQ(good.status, 200) << status;
  EXPECT_FALSE(says_close(good)) << status;
  client.send(too_much);
  const test::HttpAnswer refusal = client.answer();
  EXPECT_EQ(refusal.status, status);
  EXPECT_TRUE(says_close(refusal)) << status;
  EXPECT_TRUE(client.ended()) << status;
}

TEST_F(HttpLimits, OfARequest) {
  ServerProcess server(with({"--target-bytes-max", "100", "--header-bytes-max", "1k",
                             "--header-count-max", "5", "--body-bytes-max", "10"}));
  const std::uint16_t port = server.port();
  const auto target_of = [](std::size_t bytes) { return fmt::format("/?{:x<{}}", "", bytes - 2); };
  expect_edge(port, request(target_of(100), ""), request(target_of(101), ""), 414);
  expect_edge(port, request_of(1024), request_of(1025), 431);
  const std::string four = "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n";  // Host is the fifth
  expect_edge(port, request("/", four), request("/", four + "E: 5\r\n"), 431);
  expect_edge(port, request("/", "Content-Length: 10\r\n") + "0123456789",
              request("/", "Content-Length: 11\r\n"), 413);
  const std::string chunks = "Transfer-Encoding: chunked\r\n";
  expect_edge(port, request("/", chunks) + "5\r\nhello\r\n0\r\n\r\n",
              request("/", chunks) + "b\r\nhello world\r\n0\r\n\r\n", 413);
  expect_drains(server);
}

TEST_F(HttpLimits, LargerThanUsual) {
  ServerProcess server(with({"--target-bytes-max", "50000", "--header-bytes-max", "64KiB",
                             "--header-count-max", "2000", "--body-bytes-max", "2MiB"}));
  {
    HttpClient client(server.port());
    EXPECT_EQ(client.get(fmt::format("/?{:x<49000}", "")).status, 200);
    std::string fields;
    for (unsigned number = 0; number < 1999; ++number) fields += fmt::format("X{}: 1\r\n", number);
    EXPECT_EQ(client.get("/", fields).status, 200);
    client.send(request_of(65536));
    EXPECT_EQ(client.answer().status, 200);
    client.send(request("/", fmt::format("Content-Length: {}\r\n", 2 << 20)));
    client.send(std::string(2 << 20, 'x'));
    EXPECT_EQ(client.answer().status, 200);
  }
  expect_drains(server);
}

// A small head limit alone makes the target's default smaller with it.
TEST_F(HttpLimits, ARequestLineLargerThanTheHeadMayBe) {
  ServerProcess server(with({"--header-bytes-max", "256"}));
  {
    HttpClient client(server.port());
    client.send(request(fmt::format("/?{:x<300}", ""), ""));
    EXPECT_EQ(client.answer().status, 414);
    EXPECT_TRUE(client.ended());
  }
  expect_drains(server);
}

TEST_F(HttpLimits, OfTime) {
  ServerProcess server(with({"--request-timeout", "1000", "--idle-timeout-ms", "3000"}));
  {
    HttpClient silent(server.port());
    HttpClient idle(server.port());
    EXPECT_EQ(idle.get("/").body, "hello");
    HttpClient slow(server.port());
    slow.send("GET / HTTP/1.1\r\n");
    HttpClient slow_body(server.port());
    slow_body.send(request("/", "Content-Length: 10\r\n") + "01234");
    for (HttpClient* client : {&slow, &slow_body}) {
      EXPECT_EQ(client->answer().status, 408);
      EXPECT_TRUE(client->ended());
    }
    EXPECT_TRUE(idle.ended());
    EXPECT_TRUE(silent.ended()) << "D5: without an answer to what nobody asked";
  }
  expect_drains(server);
}

// D13
TEST_F(HttpLimits, OfRequestsOnAConnection) {
  ServerProcess server(with({"--requests-per-connection", "3"}));
  for (const bool pipelined : {false, true}) {
    HttpClient client(server.port());
    if (pipelined) client.send(request("/", "") + request("/", "") + request("/", "") + "GET / HT");
    for (unsigned number = 1; number <= 3; ++number) {
      if (!pipelined) client.ask("/");
      const test::HttpAnswer answer = client.answer();
      EXPECT_EQ(answer.body, "hello");
      EXPECT_EQ(says_close(answer), number == 3) << number;
    }
    EXPECT_TRUE(client.ended());
  }
  expect_drains(server);
}

TEST_F(HttpLimits, OfAConnectionsAge) {
  ServerProcess server(with({"--connection-age-max-ms", "500"}));
  {
    HttpClient asking(server.port());
    EXPECT_FALSE(says_close(asking.get("/")));
    asking.send("GET / HTTP/1.1\r\nHo");
    HttpClient download(server.port(), 64 << 10);
    download.ask("/large.bin");
    download.wait_for_bytes();
    HttpClient idle(server.port());
    EXPECT_TRUE(idle.ended());
    // The others are older, and in the middle of something.
    asking.send("st: h\r\n\r\n");
    const test::HttpAnswer last = asking.answer();
    EXPECT_EQ(last.body, "hello");
    EXPECT_TRUE(says_close(last));
    EXPECT_TRUE(asking.ended());
    const test::HttpAnswer whole = download.answer();
    EXPECT_EQ(whole.status, 200);
    EXPECT_TRUE(whole.body == large_);
    EXPECT_TRUE(download.ended());
  }
  expect_drains(server);
}

}  // namespace
}  // namespace lab
