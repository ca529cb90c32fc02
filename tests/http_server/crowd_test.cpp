// What servers on io_uring were reported to get wrong when there is much of something: clients
// that each begin a request while there are few buffers, and requests on one connection.

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

// Without a buffer a receive ends with ENOBUFS, which is neither an end nor an error of the client.
TEST(HttpCrowd, HalvesOfRequestsInFewBuffers) {
  const Folder folder;
  const std::string page = noise(3000);
  folder.write("page", page);
  const StatsJson stats;
  ServerProcess server(http_server(
      folder.path(), {"--buffer-count", "16", "--buffer-size", "4096", "--connections", "512",
                      "--request-timeout", "3600000", "--stats-json", stats.path()}));
  const std::uint16_t port = server.port();
  std::deque<HttpClient> clients;
  for (unsigned number = 0; number < 250; ++number) {  // each has a place for a head: 256
    clients.emplace_back(port);
    clients.back().send("GET /page HTTP/1.1\r\nHo");
  }
  for (HttpClient& client : clients) client.send("st: h\r\n\r\n");
  for (HttpClient& client : clients) {
    const test::HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body == page);
  }
  clients.clear();
  expect_drains(server);
  EXPECT_EQ(stats.lines().back()["shed"].number(), 0);
}

// There are 256 stores for heads that come in pieces. Who holds one longest gives it to the next,
// and hears so at once: nobody waits for a timeout, nobody is lost, and good ones need none.
TEST(HttpCrowd, MoreHalvesOfRequestsThanThereAreStores) {
  constexpr unsigned stores = 256;
  const Folder folder;
  const std::string page = noise(3000);
  folder.write("page", page);
  const StatsJson stats;
  ServerProcess server(http_server(
      folder.path(), {"--connections", "1024", "--request-timeout", "3600000", "--idle-timeout-ms",
                      "0", "--stats-json", stats.path(), "--stats-interval-ms", "20"}));
  const std::uint16_t port = server.port();
  const auto has_read = [&](double count) {
    return stats.shows([&](const Json& line) { return line["receives"].number() >= count; });
  };
  HttpClient good(port);
  double asked = 0;
  const auto good_ones_are_served = [&] {
    EXPECT_TRUE(good.get("/page").body == page);
    HttpClient newcomer(port);
    EXPECT_TRUE(newcomer.get("/page").body == page);
    asked += 2;
  };
  const auto begin = [&](std::deque<HttpClient>& clients) {
    for (unsigned number = 0; number < stores; ++number) {
      clients.emplace_back(port);
      clients.back().send("GET /page HTTP/1.1\r\nHo");
      if (number % 64 == 0) good_ones_are_served();
    }
    asked += stores;
    ASSERT_TRUE(has_read(asked));
  };
  std::deque<HttpClient> displaced;
  std::deque<HttpClient> holders;
  begin(displaced);
  begin(holders);
  for (HttpClient& client : displaced) {
    const test::HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 408);
    const std::string* connection = answer.field("Connection");
    EXPECT_TRUE(connection != nullptr && *connection == "close");
    EXPECT_TRUE(client.ended());
  }
  good_ones_are_served();
  for (HttpClient& client : holders) {
    client.send("st: h\r\n\r\n");
    const test::HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body == page);
  }
  displaced.clear();
  holders.clear();
  good.reset();
  expect_drains(server);
  const Json last = stats.lines().back();
  EXPECT_EQ(last["http_refusals"]["crowded"].number(), stores);
  EXPECT_EQ(last["shed"].number(), 0);
  EXPECT_EQ(last["accepted"].number(), last["closed"].number());
}

// One answer in a thousand did not come where a receive was not started again.
TEST(HttpCrowd, RequestsOnOneConnection) {
  const Folder folder;
  folder.write("index.html", "hello");
  for (const bool tls : {false, true}) {
    std::vector<std::string> flags;
    if (tls) flags = {"--tls", "self-signed"};
    ServerProcess server(http_server(folder.path(), flags));
    {
      HttpClient client(server.port(), 0,
                        tls ? std::optional(test::TlsClientOptions{}) : std::nullopt);
      for (unsigned number = 0; number < 10'000; ++number)
        ASSERT_EQ(client.get("/").body, "hello") << number << (tls ? ", over TLS" : "");
    }
    expect_drains(server);
  }
}

}  // namespace
}  // namespace lab
