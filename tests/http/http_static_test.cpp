// What the protocol does beside its answers: limits, time, drains, generations, back-pressure.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "tests/http/protocol_run.hpp"

namespace lab::test {
namespace {

using Connection = TestConnection<HttpTestProtocol>;

constexpr std::string_view get_f = "GET /f.bin HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view get_index = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view get_large = "GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view get_big = "GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n";

std::vector<HttpAnswer> answers_in(std::string_view bytes) {
  std::vector<HttpAnswer> all;
  HttpAnswer answer;
  std::string problem;
  while (take_answer(bytes, false, answer, problem)) all.push_back(answer);
  EXPECT_EQ(problem, "");
  EXPECT_EQ(bytes, "") << "behind " << all.size() << " answers";
  return all;
}

std::vector<int> statuses_in(const std::string& bytes) {
  std::vector<int> all;
  for (const HttpAnswer& answer : answers_in(bytes)) all.push_back(answer.status);
  return all;
}

bool says_close(const HttpAnswer& answer) {
  const std::string* connection = answer.field("Connection");
  return connection != nullptr && *connection == "close";
}

// D5: silence is the engine's matter, which ends whoever is idle for long.
TEST(HttpStatic, WhoSendsNothingIsIdle) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.pass(3'600'000);
  EXPECT_TRUE(connection.protocol().idle());
  EXPECT_EQ(connection.protocol().deadline(), no_deadline);
  EXPECT_EQ(connection.output, "");
  EXPECT_FALSE(connection.ended());
}

TEST(HttpStatic, HalfARequestIsNotIdleAndHasADeadline) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.feed("GET / HTTP/1.1\r\n");
  EXPECT_FALSE(connection.protocol().idle());
  EXPECT_EQ(connection.protocol().deadline(),
            connection.io.now + world.shared.options().request_ms / protocol_tick_ms);
  connection.feed("Host: h\r\n\r\n");
  EXPECT_TRUE(connection.protocol().idle());
  EXPECT_EQ(connection.protocol().deadline(), no_deadline);
}

TEST(HttpStatic, ByteByByteTheDeadlineStays) {
  HttpWorld world;
  Connection connection(world.shared);
  for (unsigned i = 0; i < 100 && !connection.ended(); ++i) {
    connection.feed("G");
    connection.pass(1000);
  }
  EXPECT_EQ(statuses_in(connection.output), std::vector{408});
  EXPECT_EQ(connection.io.finished, Finish::linger);
}

TEST(HttpStatic, TheDeadlineHoldsAcrossTheWrapOfTicks) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.io.now = ~std::uint32_t{0} - 2;
  connection.feed("GET /");
  connection.pass(world.options.request_ms - 1000);
  EXPECT_FALSE(connection.ended());
  connection.pass(2000);
  EXPECT_EQ(statuses_in(connection.output), std::vector{408});
}

// D13
TEST(HttpStatic, TheLastRequestOfAConnectionSaysSo) {
  HttpOptions options;
  options.requests_max = 3;
  HttpWorld world(false, options);
  Connection connection(world.shared);
  for (unsigned i = 0; i < 5; ++i) connection.feed(get_f);
  const auto answers = answers_in(connection.output);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_FALSE(says_close(answers[1]));
  EXPECT_TRUE(says_close(answers[2]));
  EXPECT_EQ(connection.io.finished, Finish::linger);
}

TEST(HttpStatic, AnOldConnectionEndsWithTheAnswerUnderWay) {
  HttpOptions options;
  options.age_ms = 5000;
  HttpWorld world(false, options);
  Connection idle(world.shared);
  idle.pass(4000);
  idle.feed(get_f);
  EXPECT_FALSE(says_close(answers_in(idle.output).at(0)));
  idle.pass(999);
  EXPECT_FALSE(idle.ended());
  idle.pass(1000);
  EXPECT_EQ(idle.io.finished, Finish::linger) << "a request may be on its way";

  Connection busy(world.shared);
  busy.io.files = world.site.streams();
  busy.peer_reads = false;
  busy.feed(std::string(get_big) + std::string(get_f) + std::string(get_f));
  busy.pass(6000);
  EXPECT_FALSE(busy.ended()) << "in the middle of an answer";
  busy.peer_reads = true;
  busy.settle();
  const auto answers = answers_in(busy.output);
  ASSERT_EQ(answers.size(), 2U) << "what came before is answered, once";
  EXPECT_EQ(answers[0].status, 200);
  EXPECT_TRUE(says_close(answers[1]));
  EXPECT_TRUE(busy.ended());

  Connection asking(world.shared);
  asking.feed("GET /f HTTP/1.1\r\nHo");
  asking.pass(6000);
  EXPECT_FALSE(asking.ended()) << "in the middle of a request";
  asking.feed("st: h\r\n\r\n");
  EXPECT_TRUE(says_close(answers_in(asking.output).at(0)));
  EXPECT_TRUE(asking.ended());
}

// D15
TEST(HttpStatic, ADrainEndsTheIdleAndLetsADownloadEnd) {
  HttpWorld world;
  Connection idle(world.shared);
  idle.drain();
  EXPECT_TRUE(idle.ended());

  Connection busy(world.shared);
  busy.io.files = world.site.streams();
  busy.peer_reads = false;
  busy.feed(get_big);
  busy.drain();
  EXPECT_FALSE(busy.ended());
  busy.peer_reads = true;
  busy.settle();
  EXPECT_EQ(answers_in(busy.output)[0].body.size(), 3U << 20);
  EXPECT_TRUE(busy.protocol().idle());
}

TEST(HttpStatic, ARequestThatADrainFoundHalfIsTheLast) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.feed("GET / HTTP/1.1\r\n");
  connection.drain();
  EXPECT_FALSE(connection.ended());
  connection.feed("Host: h\r\n\r\n");
  EXPECT_TRUE(says_close(answers_in(connection.output).at(0)));
  EXPECT_EQ(connection.io.finished, Finish::linger);
}

TEST(HttpStatic, PipelinedAnswersShareABuffer) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.peer_reads = false;
  std::string requests;
  for (unsigned i = 0; i < 8; ++i) requests += get_f;
  connection.feed(requests);
  EXPECT_EQ(connection.io.outbox.size(), 1U);
  EXPECT_EQ(connection.io.pooled.out(), 1U);
}

TEST(HttpStatic, ALargeBodyIsSentFromWhereItIs) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.peer_reads = false;
  connection.feed(get_large);
  ASSERT_EQ(connection.io.outbox.size(), 2U);
  EXPECT_EQ(connection.io.outbox[1].kind(), SegmentKind::stable);
  EXPECT_EQ(connection.io.outbox[1].bytes().data(),
            world.site.find("/large.bin").resource->variants[0].body.data());
}

// A peer that sends requests and reads no answer costs what room() is, and no more.
TEST(HttpStatic, WhoReadsNothingIsReadFromNoMore) {
  HttpWorld world;
  Connection connection(world.shared, {.room_bytes = 4096});
  connection.peer_reads = false;
  for (unsigned i = 0; i < 1000; ++i) connection.feed(get_f);
  EXPECT_FALSE(connection.io.receiving);
  EXPECT_LE(connection.io.pooled.out(), 8U);
  EXPECT_GT(connection.io.inbox.size(), 900U) << "requests wait with the engine";
  connection.peer_reads = true;
  connection.settle();
  EXPECT_EQ(answers_in(connection.output).size(), 1000U);
  EXPECT_TRUE(connection.io.receiving);
}

TEST(HttpStatic, WithoutABufferItGoesOnWhenThereIsOne) {
  HttpWorld world;
  Connection connection(world.shared, {.buffers = 0});
  connection.feed(get_f);
  EXPECT_EQ(connection.output, "");
  EXPECT_EQ(connection.io.inbox.size(), 1U);
}

TEST(HttpStatic, AFileThatIsShorterThanItWasEndsTheConnection) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.io.files = world.site.streams();
  for (auto& [fd, content] : connection.io.files) content.resize(content.size() - 1);
  connection.feed(get_big);
  EXPECT_TRUE(connection.io.was_reset);
  EXPECT_EQ(world.counters.files_changed().get(), 1U);
  EXPECT_LT(connection.output.size(), 3U << 20) << "never a whole answer";
}

TEST(HttpStatic, AFileThatIsLongerThanItWasGivesItsOldLength) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.io.files = world.site.streams();
  for (auto& [fd, content] : connection.io.files) content += "more";
  connection.feed(get_big);
  connection.feed(get_f);
  EXPECT_EQ(answers_in(connection.output).size(), 2U);
}

// What is chosen is what is measured: no body is cut to another variant's length.
TEST(HttpStatic, ARangeIsOfTheChosenVariant) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.feed("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n\r\n");
  connection.feed("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\n\r\n");
  const auto answers = answers_in(connection.output);
  ASSERT_EQ(answers.size(), 2U);
  const auto& index = site_files().front();
  EXPECT_EQ(answers[0].body, index.gzip.substr(0, 2));
  EXPECT_EQ(*answers[0].field("Content-Range"), "bytes 0-1/" + std::to_string(index.gzip.size()));
  EXPECT_EQ(answers[1].body, index.brotli);
}

// --- what is counted ---

std::uint64_t counted(const HttpWorld& world, std::string_view name, std::string_view value = {}) {
  constexpr auto infos = HttpCounters::infos();
  for (std::size_t index = 0; index < infos.size(); ++index) {
    if (infos[index].name == name && infos[index].value == value) return world.memory[index].get();
  }
  ADD_FAILURE() << "nothing is called " << name << " " << value;
  return 0;
}

TEST(HttpCounters, NamesDifferAndFamiliesStandTogether) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  std::set<std::string_view> families;
  std::string_view latest;
  for (const CounterInfo& info : HttpCounters::infos()) {
    EXPECT_FALSE(info.name.empty() || info.help.empty()) << info.name;
    EXPECT_TRUE(seen.insert({info.name, info.value}).second) << info.name << " " << info.value;
    if (std::exchange(latest, info.name) == info.name) continue;
    EXPECT_TRUE(families.insert(info.name).second) << info.name << " stands in two places";
  }
}

TEST(HttpCounters, EachAnswerIsCountedOnceByItsStatus) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.io.files = world.site.streams();
  std::size_t body_bytes = 0;
  std::map<int, unsigned> sent;
  for (const std::string_view target : {"/f.bin", "/none", "/f.bin", "/big.bin", "/large.bin"}) {
    const std::size_t before = connection.output.size();
    connection.feed("GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto answers = answers_in(std::string_view(connection.output).substr(before));
    ASSERT_EQ(answers.size(), 1U) << target;
    body_bytes += answers[0].body.size();
    ++sent[answers[0].status];
  }
  EXPECT_EQ(sent[200], 4U);
  EXPECT_EQ(counted(world, "http_answers", "200"), 4U);
  EXPECT_EQ(counted(world, "http_answers", "404"), 1U);
  EXPECT_EQ(counted(world, "http_body_bytes"), body_bytes);
  EXPECT_EQ(counted(world, "http_answers_cut"), 0U);
}

TEST(HttpCounters, RefusalsAreCountedByTheirReason) {
  HttpWorld world;
  const auto ask = [&](std::string_view bytes) {
    Connection connection(world.shared);
    connection.feed(bytes);
    connection.pass(60'000);
  };
  ask("GET / HTTP/1.1\n");
  ask("GET / HTTP/3.0\r\n");
  ask("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  ask("GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(counted(world, "http_refusals", "malformed"), 1U);
  EXPECT_EQ(counted(world, "http_refusals", "unsupported"), 1U);
  EXPECT_EQ(counted(world, "http_refusals", "too_large"), 1U);
  EXPECT_EQ(counted(world, "http_refusals", "slow"), 1U);
  EXPECT_EQ(counted(world, "http_refusals", "crowded"), 0U);

  // Two stores for three heads that come in pieces: the oldest loses its own.
  std::deque<Connection> slow;
  for (unsigned i = 0; i < 3; ++i) slow.emplace_back(world.shared).feed("GET / HT");
  slow.front().settle();
  EXPECT_EQ(counted(world, "http_refusals", "crowded"), 1U);
  EXPECT_EQ(counted(world, "http_answers", "408"), 2U);
}

TEST(HttpCounters, AnAnswerThatIsCutIsCountedWithWhatHadLeft) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.io.files = world.site.streams();
  connection.peer_reads = false;
  connection.feed(get_big);
  connection.protocol().on_abort();
  EXPECT_EQ(counted(world, "http_answers_cut"), 1U);
  EXPECT_GT(counted(world, "http_body_bytes"), 0U);
  EXPECT_LT(counted(world, "http_body_bytes"), 3U << 20);
  EXPECT_EQ(counted(world, "http_answer_seconds", "sum_ns"), 0U) << "it never was whole";
}

TEST(HttpCounters, AnAnswerTakesUntilItsLastByteWasSent) {
  static std::uint64_t now_ns;
  now_ns = 1;
  HttpWorld world(false, {.now_ns = []() noexcept { return now_ns; }});
  Connection connection(world.shared);
  connection.io.files = world.site.streams();
  connection.feed(get_f);
  EXPECT_EQ(counted(world, "http_answer_seconds", "0.0001"), 1U);
  connection.peer_reads = false;
  connection.feed(get_big);
  now_ns += 700'000'000;
  connection.peer_reads = true;
  connection.settle();
  EXPECT_EQ(counted(world, "http_answer_seconds", "1"), 1U);
  EXPECT_EQ(counted(world, "http_answer_seconds", "sum_ns"), 700'000'000U);
}

// --- generations ---

TEST(HttpStatic, AGenerationLivesUntilItsLastAnswerHasLeft) {
  HttpWorld world;
  const TestSite next_site;
  Connection connection(world.shared);
  connection.peer_reads = false;
  connection.feed(get_large);
  connection.feed(get_index);
  EXPECT_GT(world.source.first_in_use(), 0U);
  world.source.replace(next_site);
  EXPECT_GT(world.source.first_in_use(), 0U);
  connection.peer_reads = true;
  connection.settle();
  EXPECT_EQ(world.source.first_in_use(), 0U);
  EXPECT_EQ(answers_in(connection.output).size(), 2U);
}

TEST(HttpStatic, AFilesGenerationLivesWhileItIsRead) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.io.files = world.site.streams();
  connection.peer_reads = false;
  connection.feed(get_big);
  EXPECT_GT(world.source.first_in_use(), 0U);
  connection.peer_reads = true;
  connection.settle();
  EXPECT_EQ(world.source.first_in_use(), 0U);
}

TEST(HttpStatic, ALostConnectionUsesNoGeneration) {
  HttpWorld world;
  {
    Connection connection(world.shared);
    connection.io.files = world.site.streams();
    connection.peer_reads = false;
    connection.feed(get_big);
  }
  EXPECT_EQ(world.source.first_in_use(), 0U);
}

// A body that did not fit into a buffer goes on from the generation that it began with.
TEST(HttpStatic, NoAnswerMixesTwoGenerations) {
  HttpWorld world;
  const TestSite next_site(true);
  Connection connection(world.shared, {.buffer_bytes = 700, .room_bytes = 700});
  connection.peer_reads = false;
  connection.feed(get_f);
  world.source.replace(next_site);
  connection.peer_reads = true;
  connection.settle();
  EXPECT_EQ(answers_in(connection.output)[0].body, pattern(1000));
  EXPECT_EQ(world.source.first_in_use(), 0U);
}

// --- heads in pieces ---

TEST(HttpStatic, TheOldestOfTooManySlowHeadsLosesItsPlace) {
  HttpWorld world;  // two stores
  Connection first(world.shared);
  Connection second(world.shared);
  Connection third(world.shared);
  first.feed("GET / HTTP/1.1\r\nHo");
  second.feed("GET / HTTP/1.1\r\nHo");
  third.feed("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(first.io.woken);
  first.settle();
  EXPECT_EQ(statuses_in(first.output), std::vector{408});
  EXPECT_EQ(world.shared.stores().taken_away(), 1U);
  second.feed("st: h\r\n\r\n");
  third.feed("st: h\r\n\r\n");
  EXPECT_EQ(statuses_in(second.output), std::vector{200});
  EXPECT_EQ(statuses_in(third.output), std::vector{200});
}

TEST(HttpStatic, ARequestThatCameWholeNeedsNoStore) {
  HttpWorld world;
  Connection first(world.shared);
  Connection second(world.shared);
  first.feed("GET / HTTP/1.1\r\nHo");
  second.feed("GET / HTTP/1.1\r\nHo");
  Connection whole(world.shared);
  whole.feed(get_f);
  EXPECT_EQ(statuses_in(whole.output), std::vector{200});
  EXPECT_EQ(world.shared.stores().taken_away(), 0U);
}

TEST(HttpStatic, AHeadThatWasTakenWhileItsBodyCameIsRefused) {
  HttpWorld world;
  Connection first(world.shared);
  first.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello");
  Connection second(world.shared);
  Connection third(world.shared);
  second.feed("G");
  third.feed("G");
  first.feed("world");
  EXPECT_EQ(statuses_in(first.output), std::vector{408});
}

// --- counting, and what an operator adds ---

TEST(HttpStatic, AnswersAreCountedByStatus) {
  HttpWorld world;
  Connection connection(world.shared);
  connection.feed(get_f);
  connection.feed(get_f);
  connection.feed("GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(world.counters.answers(Status::ok).get(), 2U);
  EXPECT_EQ(world.counters.answers(Status::not_found).get(), 1U);
}

TEST(HttpStatic, OperatorsFieldsAreOnGeneratedAnswers) {
  HttpWorld world;
  world.source.common = "X-Own: 1\r\n";
  world.source.preflight = "Access-Control-Allow-Methods: GET\r\n";
  Connection connection(world.shared);
  connection.feed("GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
  connection.feed("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n");
  connection.feed("OPTIONS / HTTP/1.1\r\nHost: h\r\nAccess-Control-Request-Method: GET\r\n\r\n");
  const auto answers = answers_in(connection.output);
  ASSERT_EQ(answers.size(), 3U);
  for (const HttpAnswer& answer : answers) EXPECT_NE(answer.field("X-Own"), nullptr);
  EXPECT_EQ(answers[0].field("Access-Control-Allow-Methods"), nullptr);
  EXPECT_EQ(answers[1].field("Access-Control-Allow-Methods"), nullptr);
  EXPECT_NE(answers[2].field("Access-Control-Allow-Methods"), nullptr);
}

// --spa: the page of an application stands for its paths, and for nothing that a page asks for.
TEST(HttpStatic, AFallbackIsForWhoeverAsksForAPage) {
  HttpWorld world;
  const auto status = [&](const std::string& accept, const std::string& path = "/app/x") {
    Connection connection(world.shared);
    connection.feed("GET " + path + " HTTP/1.1\r\nHost: h\r\n" + accept + "\r\n");
    return statuses_in(connection.output);
  };
  EXPECT_EQ(status("Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"), std::vector{200});
  EXPECT_EQ(status("Accept: image/png\r\nAccept: Text/HTML;q=0.5\r\n"), std::vector{200});
  EXPECT_EQ(status("Accept: */*\r\n"), std::vector{404});
  EXPECT_EQ(status("Accept: text/html;q=0.0\r\n"), std::vector{404});
  EXPECT_EQ(status(""), std::vector{404});
  EXPECT_EQ(status("Accept: text/html\r\n", "/app/x.js"), std::vector{404});
}

TEST(HttpStatic, WhatAConnectionCosts) { EXPECT_LE(sizeof(HttpTestProtocol), 448U); }

TEST(HttpStatic, AHeadThatNoBufferHoldsIsAnErrorOfTheServer) {
  HttpWorld world;
  Connection connection(world.shared, {.buffer_bytes = 640});
  const std::string query(1000, 'q');
  connection.feed("GET /dir?" + query + " HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(statuses_in(connection.output), std::vector{500});
  EXPECT_TRUE(connection.ended());
}

TEST(HttpStatic, BytesAfterTheLastAnswerAreNotLookedAt) {
  HttpWorld world;
  Connection connection(world.shared, {.room_bytes = 1});
  connection.peer_reads = false;
  connection.feed("GET /large.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  connection.feed(get_f);
  connection.peer_reads = true;
  connection.settle();
  EXPECT_EQ(statuses_in(connection.output), std::vector{200});
  EXPECT_EQ(connection.io.finished, Finish::linger) << "the peer sent more, a reset would follow";
}

}  // namespace
}  // namespace lab::test
