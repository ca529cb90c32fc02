// The admin port's answers without a process: the text, the health, and readings that last.

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "06-server/lib/protocol/http/http_counters.hpp"
#include "06-server/lib/protocol/metrics/metrics_source.hpp"
#include "tests/http/transcript.hpp"
#include "tests/metrics/prometheus.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab {
namespace {

static_assert(Protocol<Metrics>);

std::vector<CounterInfo> all_infos() {
  std::vector<CounterInfo> infos(stat_infos().begin(), stat_infos().end());
  const auto own = HttpCounters::infos();
  infos.insert(infos.end(), own.begin(), own.end());
  return infos;
}

struct World {
  explicit World(std::size_t count) : workers(count) {}

  std::string get(std::string_view target) {
    test::TestConnection<Metrics> connection(shared);
    ask(connection, target);
    return connection.output;
  }
  static void ask(test::TestConnection<Metrics>& connection, std::string_view target) {
    connection.feed("GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  static std::string body(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  const std::size_t workers;
  const std::vector<CounterInfo> infos = all_infos();
  SharedStats stats{workers, HttpCounters::size};
  MetricsSource source{stats, infos, workers};
  std::array<Counter, HttpCounters::size> memory;
  Metrics::Shared shared{{.head_stores = 2}, source, HttpCounters(memory)};
};

TEST(MetricsText, EveryCounterIsThereOfTheServerAndOfEachWorker) {
  World world(3);
  for (std::size_t worker = 0; worker < 3; ++worker) {
    for (std::size_t index = 0; index < stat_count; ++index)
      world.stats[worker][static_cast<Stat>(index)].set(1000 * (worker + 1) + index);
    HttpCounters http(world.stats.own(worker));
    http.answers(Status::ok).set(10 + worker);
    http.answers(Status::not_found).set(worker);
    http.answer_times().record(2'000'000);
    http.answer_times().record(3'000'000'000);
  }
  const Prometheus metrics(World::body(world.get("/metrics")));
  EXPECT_EQ(metrics["lab_accepted_total"], 6000);
  EXPECT_EQ(metrics["lab_worker_accepted_total{worker=\"1\"}"], 2000);
  EXPECT_EQ(metrics["lab_http_answers_total{status=\"200\"}"], 33);
  EXPECT_EQ(metrics["lab_worker_http_answers_total{worker=\"2\",status=\"404\"}"], 2);
  EXPECT_EQ(metrics["lab_http_answer_seconds_bucket{le=\"0.001\"}"], 0);
  EXPECT_EQ(metrics["lab_http_answer_seconds_bucket{le=\"0.0025\"}"], 3);
  EXPECT_EQ(metrics["lab_http_answer_seconds_bucket{le=\"2.5\"}"], 3);
  EXPECT_EQ(metrics["lab_http_answer_seconds_bucket{le=\"5\"}"], 6);
  EXPECT_EQ(metrics["lab_http_answer_seconds_count"], 6);
  EXPECT_DOUBLE_EQ(metrics["lab_http_answer_seconds_sum"], 9.006);
  EXPECT_EQ(metrics["lab_worker_http_answer_seconds_count{worker=\"2\"}"], 2);
  EXPECT_EQ(metrics.types().at("lab_serving"), "gauge");
  EXPECT_TRUE(metrics.has("lab_cpu_seconds_total"));
  EXPECT_EQ(metrics["lab_connections"], 0) << "more are closed than accepted: never negative";
  for (const CounterInfo& info : world.infos) {
    if (info.kind != CounterInfo::Kind::count) continue;
    const std::string name(info.name);
    const std::string label =
        info.label.empty() ? "" : std::string(info.label) + "=\"" + std::string(info.value) + "\"";
    EXPECT_TRUE(metrics.has("lab_" + name + "_total" + (label.empty() ? "" : "{" + label + "}")));
    EXPECT_TRUE(metrics.has("lab_worker_" + name + "_total{worker=\"2\"" +
                            (label.empty() ? "" : "," + label) + "}"));
  }
}

TEST(MetricsText, OneWorkerAndTheLargestNumbers) {
  World world(1);
  for (std::size_t index = 0; index < stat_count; ++index)
    world.stats[0][static_cast<Stat>(index)].set(~std::uint64_t{0});
  for (Counter& counter : world.stats.own(0)) counter.set(1);
  const Prometheus metrics(World::body(world.get("/metrics")));
  EXPECT_EQ(metrics["lab_cpu_seconds_total"], 18446744073.709551615);
}

TEST(Metrics, HealthIsWhetherAnybodyServes) {
  World world(2);
  EXPECT_TRUE(world.get("/healthz").starts_with("HTTP/1.1 503 "));
  world.stats[1][Stat::serving].set(1);
  const std::string answer = world.get("/healthz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(World::body(answer), "ok\n");
  world.stats[1][Stat::serving].set(0);
  EXPECT_TRUE(world.get("/healthz").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(world.get("/").starts_with("HTTP/1.1 404 "));
}

// Each of these has its own reading, and keeps it while others are made.
TEST(Metrics, AnAnswerShowsOneReadingHoweverLateItIsTaken) {
  World world(2);
  std::deque<test::TestConnection<Metrics>> slow;
  for (std::uint64_t number = 1; number <= 4; ++number) {
    world.stats[0][Stat::accepted].set(number);
    auto& connection = slow.emplace_back(world.shared);
    connection.peer_reads = false;
    World::ask(connection, "/metrics");
  }
  EXPECT_TRUE(world.get("/metrics").starts_with("HTTP/1.1 503 ")) << "all readings are taken";
  world.stats[0][Stat::accepted].set(77);
  double expected = 0;
  for (auto& connection : slow) {
    connection.peer_reads = true;
    connection.settle();
    const Prometheus metrics(World::body(connection.output));
    EXPECT_EQ(metrics["lab_accepted_total"], ++expected);
  }
  EXPECT_EQ(Prometheus(World::body(world.get("/metrics")))["lab_accepted_total"], 77);
}

}  // namespace
}  // namespace lab
