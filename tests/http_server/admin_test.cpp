// --admin as a user and as Prometheus see it: what it says agrees with what was asked for, and it
// says it whatever the workers do.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "03-network/lib/listener.hpp"
#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/metrics/prometheus.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

// The kernel picks the port, and the log says which.
std::uint16_t admin_port(ServerProcess& server) {
  const std::string before = "health on http://127.0.0.1:";
  if (!server.logs(before)) throw Failure("it has no admin port");
  return static_cast<std::uint16_t>(
      std::stoi(server.log().substr(server.log().find(before) + before.size())));
}

Prometheus metrics(std::uint16_t admin) {
  HttpClient client(admin);
  const test::HttpAnswer answer = client.get("/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(*answer.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  return Prometheus(answer.body);
}

int health(std::uint16_t admin) {
  HttpClient client(admin);
  return client.get("/healthz").status;
}

class Admin : public testing::Test {
 protected:
  Admin() {
    folder_.write("index.html", prose(500));
    folder_.write("large.bin", noise(8 << 20));
  }
  ServerProcess::Setup setup(const char* workers) {
    return http_server(folder_.path(),
                       {"--workers", workers, "--steer", "hash", "--admin", "127.0.0.1:0"});
  }

  const Folder folder_;
};

TEST_F(Admin, CountsWhatWasAskedForAndNothingOfItself) {
  ServerProcess server(setup("2"));
  const std::uint16_t port = server.port();
  const std::uint16_t admin = admin_port(server);
  std::size_t bytes = 0;
  for (unsigned i = 0; i < 25; ++i) {
    HttpClient client(port);
    bytes += client.get("/").body.size();
    bytes += client.get("/none").body.size();
  }
  for (unsigned i = 0; i < 3; ++i) {
    const Prometheus now = metrics(admin);
    EXPECT_EQ(now["lab_http_answers_total{status=\"200\"}"], 25);
    EXPECT_EQ(now["lab_http_answers_total{status=\"404\"}"], 25);
    EXPECT_EQ(now["lab_http_body_bytes_total"], static_cast<double>(bytes));
    EXPECT_EQ(now["lab_http_answer_seconds_count"], 50);
    EXPECT_EQ(now["lab_worker_http_answers_total{worker=\"0\",status=\"200\"}"] +
                  now["lab_worker_http_answers_total{worker=\"1\",status=\"200\"}"],
              25);
    EXPECT_EQ(now["lab_accepted_total"], 25);
    EXPECT_EQ(now["lab_serving"], 2);
    EXPECT_EQ(now["lab_worker_starts_total{worker=\"1\"}"], 1);
  }
  EXPECT_EQ(health(admin), 200);
  expect_drains(server);
}

TEST_F(Admin, SaysThatItDrainsUntilTheLastClientIsServed) {
  ServerProcess server(setup("1"));
  HttpClient slow(server.port(), 4096);
  const std::uint16_t admin = admin_port(server);
  EXPECT_EQ(health(admin), 200);
  slow.ask("/large.bin");
  slow.wait_for_bytes();
  server.signal(SIGTERM);
  ASSERT_TRUE(server.logs("draining"));
  EXPECT_EQ(health(admin), 503);
  const Prometheus now = metrics(admin);
  EXPECT_EQ(now["lab_serving"], 0);
  EXPECT_EQ(now["lab_connections"], 1);
  EXPECT_EQ(slow.answer().body.size(), std::size_t{8} << 20);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0) << server.log();
  EXPECT_TRUE(server.all_gone());
}

TEST_F(Admin, TellsOfWorkersThatStandStillAndThatDie) {
  ServerProcess server(setup("1"));
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/").status, 200);
  const std::uint16_t admin = admin_port(server);
  const std::vector<pid_t> processes = server.workers();
  ASSERT_EQ(processes.size(), 2U) << "a worker, and the one that tells";
  ServerProcess::stop(processes[0]);
  EXPECT_EQ(metrics(admin)["lab_http_answers_total{status=\"200\"}"], 1);
  kill(processes[0], SIGKILL);  // where that took long, the supervisor did it already
  ASSERT_TRUE(server.logs("serves again"));
  const Prometheus now = metrics(admin);
  EXPECT_EQ(now["lab_starts_total"], 2);
  EXPECT_EQ(now["lab_http_answers_total{status=\"200\"}"], 1) << "the dead one's count stays";
  EXPECT_EQ(now["lab_accepted_total"], 1);
  EXPECT_EQ(health(admin), 200);

  // The one that tells is started again, too, on the same port.
  ASSERT_EQ(kill(processes[1], SIGKILL), 0);
  ASSERT_TRUE(server.logs("the admin process"));
  EXPECT_EQ(metrics(admin)["lab_starts_total"], 2);
  expect_drains(server);
}

TEST_F(Admin, APortInUseIsRefusedWithItsCure) {
  const Listener other(ListenerOptions{});
  const std::string place = fmt::format("127.0.0.1:{}", other.port());
  ServerProcess server(http_server(folder_.path(), {"--admin", place}));
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 1);
  EXPECT_NE(server.log().find(fmt::format("--admin: port {} on 127.0.0.1 is in use", other.port())),
            std::string::npos)
      << server.log();
  EXPECT_NE(server.log().find("Cure: another port"), std::string::npos);
}

TEST_F(Admin, APlaceThatIsNoneIsWrongUse) {
  for (const char* place : {"9090", "localhost:9090", "127.0.0.1:", "127.0.0.1:70000", "::1"}) {
    ServerProcess server(http_server(folder_.path(), {"--admin", place}));
    const std::optional<Exit> end = server.wait();
    ASSERT_TRUE(end) << place;
    EXPECT_EQ(end->code, 2) << place;
    EXPECT_NE(server.log().find("--admin"), std::string::npos) << server.log();
  }
}

TEST(AdminOfEcho, ItHasItToo) {
  ServerProcess server({"--port", "0", "--workers", "1", "--connections", "64", "--buffer-count",
                        "64", "--admin", "127.0.0.1:0"});
  Stream client = connect_to(server.port());
  ping(client, 1000);
  const std::uint16_t admin = admin_port(server);
  EXPECT_EQ(metrics(admin)["lab_bytes_in_total"], 1000);
  EXPECT_FALSE(metrics(admin).has("lab_http_body_bytes_total"));
  EXPECT_EQ(health(admin), 200);
}

}  // namespace
}  // namespace lab
