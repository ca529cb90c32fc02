// What the server counts of HTTP is in its statistics and in its summary, whatever happens to the
// workers.

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <string>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

double answers(const Json& object, const std::string& status) {
  return object["http_answers"][status].number();
}

TEST(HttpStatistics, AnswersAreCountedByStatusForEachWorkerAndOverItsDeath) {
  const Folder folder;
  folder.write("index.html", prose(500));
  folder.write("large.bin", noise(300'000));
  const StatsJson stats;
  ServerProcess server(http_server(
      folder.path(), {"--workers", "2", "--steer", "hash", "--memory-limit-file", "100000",
                      "--stats-json", stats.path(), "--stats-interval-ms", "50"}));
  const std::uint16_t port = server.port();
  double body_bytes = 0;
  for (unsigned round = 0; round < 2; ++round) {
    for (unsigned i = 0; i < 20; ++i) {
      HttpClient client(port);
      body_bytes += static_cast<double>(client.get("/").body.size());
      body_bytes += static_cast<double>(client.get("/none").body.size());
      body_bytes += static_cast<double>(client.get("/large.bin").body.size());
      client.send("GET / HTTP/1.1\n");
      body_bytes += static_cast<double>(client.answer().body.size());
    }
    if (round > 0) continue;
    ASSERT_EQ(kill(server.workers().front(), SIGKILL), 0);
    ASSERT_TRUE(server.logs("serves again"));
  }
  expect_drains(server);

  const Json last = stats.lines().back();
  EXPECT_EQ(answers(last, "200"), 80);
  EXPECT_EQ(answers(last, "404"), 40);
  EXPECT_EQ(answers(last, "400"), 40);
  EXPECT_EQ(last["http_refusals"]["malformed"].number(), 40);
  EXPECT_EQ(last["http_body_bytes"].number(), body_bytes);
  const JsonArray& workers = last["workers"].array();
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(answers(workers[0], "200") + answers(workers[1], "200"), 80);
  double durations = 0;
  for (const auto& [bound, count] : std::get<JsonObject>(last["http_answer_seconds"].value)) {
    if (bound != "sum_ns") durations += count.number();
  }
  EXPECT_EQ(durations, 160);

  EXPECT_NE(server.log().find("http_answers 200: 80, 400: 40, 404: 40 |"), std::string::npos)
      << server.log();
}

}  // namespace
}  // namespace lab
