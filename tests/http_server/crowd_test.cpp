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
