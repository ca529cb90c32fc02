// Tls<Inner> without a ring: a client in memory, and an Io that is as hostile as an engine may be.

#include "06-server/lib/protocol/tls/tls.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

static_assert(Protocol<Tls<Echo>>);
static_assert(Protocol<Tls<Lines>>);
static_assert(Protocol<Tls<Tls<Echo>>>);

std::string text_of_size(std::size_t size) {
  std::string text(size, ' ');
  std::uint32_t state = 1;
  for (char& one : text) one = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  return text;
}

const std::shared_ptr<const TlsContext>& context() {
  static const auto made = std::make_shared<const TlsContext>(self_signed());
  return made;
}

// Says a lot and ends; after that it is told nothing.
class SaysAndEnds : public ProtocolDefaults {
 public:
  explicit SaysAndEnds(Shared&) noexcept {}
  void on_open(auto& io) noexcept {
    static const std::string text = text_of_size(200'000);
    io.send(Segment::stable(bytes_of(text)));
    io.finish(Finish::close);
    ends_ = true;
  }
  void on_bytes(auto&, Segment) noexcept { told(); }
  void on_turn(auto&) noexcept { told(); }
  void on_end(auto&) noexcept { told(); }
  void on_drain(auto&) noexcept { told(); }

 private:
  void told() const noexcept { EXPECT_FALSE(ends_); }
  bool ends_ = false;
};

class TlsVersions : public testing::TestWithParam<int> {
 protected:
  TlsClientOptions client() const { return {.version = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(All, TlsVersions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsVersions, EchoesWhateverTheCut) {
  const std::string text = text_of_size(3000);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100}, whole}) {
    Tls<Echo>::Shared shared(context());
    TlsTalk<Tls<Echo>> talk(shared, client());
    ASSERT_TRUE(talk.connect(piece));
    talk.say(text, piece);
    EXPECT_EQ(talk.client.text, text);
    talk.client.close_notify();
    talk.go_on(piece);
    EXPECT_TRUE(talk.client.got_close_notify());
    EXPECT_EQ(talk.server.io.finished, Finish::close);
    EXPECT_EQ(shared.tls.counters.handshakes().get(), 1U);
    EXPECT_EQ(shared.tls.counters.truncated().get(), 0U);
  }
}

TEST_P(TlsVersions, CarriesMegabytesThroughFewSmallBuffers) {
  const std::string text = text_of_size(1 << 20);
  for (const TestLimits& limits :
       {TestLimits{.buffers = 1, .buffer_bytes = 100, .room_bytes = 1},
        TestLimits{.buffers = 2, .buffer_bytes = 4096, .room_bytes = 5000}, TestLimits{}}) {
    Tls<Echo>::Shared shared(context());
    TlsTalk<Tls<Echo>> talk(shared, client(), limits);
    ASSERT_TRUE(talk.connect());
    for (std::size_t sent = 0; sent < text.size(); sent += 100'000) {
      talk.client.write(std::string_view(text).substr(sent, 100'000));
    }
    talk.go_on(5000);
    EXPECT_TRUE(talk.client.text == text) << talk.client.text.size();
    EXPECT_EQ(talk.server.io.pooled.out(), 0U);
    EXPECT_EQ(shared.tls.plain.free(), context()->options().plain_buffers);
  }
}

// Nothing is decrypted for a peer that takes nothing, and nothing is lost.
TEST_P(TlsVersions, APeerThatDoesNotReadHoldsLittle) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared, client(), {.buffers = 3, .room_bytes = 20'000});
  ASSERT_TRUE(talk.connect());
  const std::string text = text_of_size(400'000);
  talk.server.peer_reads = false;
  talk.client.write(text);
  talk.go_on(4000);
  EXPECT_LE(talk.server.io.pooled.out(), 3U);
  EXPECT_FALSE(talk.server.io.receiving);
  EXPECT_EQ(shared.tls.plain.free(), context()->options().plain_buffers);
  talk.server.peer_reads = true;
  talk.go_on();
  EXPECT_TRUE(talk.client.text == text) << talk.client.text.size();
}

TEST_P(TlsVersions, ThreeRecordsInOneSegmentAreThreeAnswersInOneSend) {
  Tls<Lines>::Shared shared(context());
  TlsTalk<Tls<Lines>> talk(shared, client());
  ASSERT_TRUE(talk.connect());
  talk.client.text.clear();
  for (const char* line : {"one\n", "two\n", "three\n"}) talk.client.write(line);
  talk.server.peer_reads = false;
  talk.server.feed(talk.client.take_records());
  EXPECT_EQ(talk.server.io.outbox.size(), 1U);
  talk.server.peer_reads = true;
  talk.go_on();
  EXPECT_EQ(talk.client.text, "1: one\n2: two\n3: three\n");
}

TEST_P(TlsVersions, LinesWhateverTheCutAndWithoutBuffers) {
  std::string lines, answers(Lines::greeting);
  for (int number = 1; number <= 200; ++number) {
    const std::string line = "line " + std::to_string(number) + std::string(50, '.') + "\n";
    lines += line;
    answers += std::to_string(number) + ": " + line;
  }
  for (const unsigned buffers : {2U, 8U}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{33}, whole}) {
      Tls<Lines>::Shared shared(context());
      TlsTalk<Tls<Lines>> talk(shared, client(),
                               {.buffers = buffers, .buffer_bytes = 300, .room_bytes = 700});
      ASSERT_TRUE(talk.connect(piece));
      talk.say(lines + "bye\n", piece);
      EXPECT_EQ(talk.client.text, answers + "201: bye\n");
      EXPECT_TRUE(talk.client.got_close_notify());
      EXPECT_EQ(talk.server.io.finished, Finish::close);
    }
  }
}

TEST_P(TlsVersions, SendsFiles) {
  const LineFile file{.name = "file", .fd = 5, .size = 300'000};
  Tls<Lines>::Shared shared(context(), std::span(&file, 1));
  TlsTalk<Tls<Lines>> talk(shared, client(), {.buffers = 2, .room_bytes = 30'000});
  talk.server.io.files[5] = text_of_size(file.size);
  ASSERT_TRUE(talk.connect());
  talk.client.write("read file\n");
  talk.client.close_notify();
  talk.go_on();
  EXPECT_TRUE(talk.client.text ==
              std::string(Lines::greeting) + "1: 300000 bytes of file\n" + talk.server.io.files[5]);
  EXPECT_TRUE(talk.client.got_close_notify());
}

TEST_P(TlsVersions, NothingIsToldAfterFinish) {
  Tls<SaysAndEnds>::Shared shared(context());
  TlsTalk<Tls<SaysAndEnds>> talk(shared, client(), {.buffers = 2, .room_bytes = 5000});
  talk.server.feed(talk.client.take_records());
  talk.client.feed(std::exchange(talk.server.output, {}));
  talk.server.drain();
  ASSERT_TRUE(talk.connect());
  talk.client.close_notify();
  talk.go_on();
  EXPECT_TRUE(talk.client.text == text_of_size(200'000));
  EXPECT_TRUE(talk.client.got_close_notify());
}

TEST_P(TlsVersions, EmptyAndOneByteRecords) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared, client());
  ASSERT_TRUE(talk.connect());
  for (const char one : {'a', 'b', 'c'}) talk.client.write({&one, 1});
  talk.go_on();
  EXPECT_EQ(talk.client.text, "abc");
}

TEST_P(TlsVersions, AFinWithoutCloseNotifyIsCounted) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared, client());
  ASSERT_TRUE(talk.connect());
  talk.say("x");
  talk.server.feed_end();
  talk.go_on();
  EXPECT_EQ(shared.tls.counters.truncated().get(), 1U);
  EXPECT_TRUE(talk.client.got_close_notify());
  EXPECT_EQ(talk.server.io.finished, Finish::close);
}

TEST_P(TlsVersions, ADrainEndsWithCloseNotify) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared, client());
  ASSERT_TRUE(talk.connect());
  talk.say("x");
  EXPECT_TRUE(talk.server.protocol().idle());
  talk.server.drain();
  EXPECT_FALSE(talk.server.ended()) << "what is on its way is answered";
  talk.say("y");
  talk.server.pass(1000);
  talk.go_on();
  EXPECT_EQ(talk.client.text, "xy");
  EXPECT_TRUE(talk.client.got_close_notify());
  EXPECT_TRUE(talk.server.ended());
}

TEST_P(TlsVersions, TheInnerProtocolsTimeIsOver) {
  Tls<Lines>::Shared shared(context());
  TlsTalk<Tls<Lines>> talk(shared, client());
  ASSERT_TRUE(talk.connect());
  talk.client.text.clear();
  talk.say("half a li");
  talk.server.pass(11'000);
  talk.go_on();
  EXPECT_EQ(talk.client.text, "1: too slow\n");
  EXPECT_TRUE(talk.client.got_close_notify());
  EXPECT_EQ(talk.server.io.finished, Finish::linger);
}

TEST_P(TlsVersions, ABrokenRecordGetsAnAlertAndTheNextConnectionNothing) {
  Tls<Echo>::Shared shared(context());
  for (int round = 0; round < 2; ++round) {
    TlsTalk<Tls<Echo>> broken(shared, client());
    TlsTalk<Tls<Echo>> other(shared, client());
    ASSERT_TRUE(broken.connect());
    ASSERT_TRUE(other.connect());
    broken.client.write("hello");
    std::string records = broken.client.take_records();
    records.back() ^= 1;
    broken.server.feed(records);
    broken.go_on();
    EXPECT_EQ(broken.client.alert(), SSL_AD_BAD_RECORD_MAC);
    EXPECT_EQ(broken.server.io.finished, Finish::linger);
    other.say("unhurt");
    EXPECT_EQ(other.client.text, "unhurt");
  }
  EXPECT_EQ(shared.tls.counters.broken().get(), 2U);
}

TEST_P(TlsVersions, AnOversizedRecordGetsAnAlert) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared, client());
  ASSERT_TRUE(talk.connect());
  talk.server.feed(std::string("\x17\x03\x03\xff\xff", 5) + std::string(70'000, 'x'));
  talk.go_on();
  EXPECT_EQ(talk.client.alert(), SSL_AD_RECORD_OVERFLOW);
  EXPECT_EQ(shared.tls.counters.broken().get(), 1U);
}

TEST_P(TlsVersions, AHandshakeThatIsCutAtEveryByte) {
  Tls<Echo>::Shared shared(context());
  std::size_t size = 1;
  for (std::size_t cut = 0; cut < size; ++cut) {
    TlsTalk<Tls<Echo>> talk(shared, client());
    const std::string hello = talk.client.take_records();
    const std::string first = hello.substr(0, cut);
    talk.server.feed(first);
    if (cut >= hello.size()) {
      talk.server.settle();
      talk.client.feed(std::exchange(talk.server.output, {}));
      const std::string second = talk.client.take_records();
      size = hello.size() + second.size();
      talk.server.feed(second.substr(0, cut - hello.size()));
    } else {
      size = hello.size() + 1;
    }
    talk.server.feed_end();
    ASSERT_EQ(talk.server.io.finished, Finish::close) << cut;
  }
  EXPECT_EQ(shared.tls.counters.handshakes().get(), 0U);
  TlsTalk<Tls<Echo>> next(shared, client());
  EXPECT_TRUE(next.connect());
}

TEST(Tls, KeyUpdate) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared);
  ASSERT_TRUE(talk.connect());
  for (int round = 0; round < 5; ++round) {
    talk.client.key_update();
    talk.say("a");
    talk.say("b");
  }
  EXPECT_EQ(talk.client.text, "ababababab");
}

TEST(Tls, NoRenegotiation) {
  Tls<Echo>::Shared shared(context());
  TlsTalk<Tls<Echo>> talk(shared, {.version = TLS1_2_VERSION});
  ASSERT_TRUE(talk.connect());
  talk.client.renegotiate();
  talk.go_on();
  EXPECT_TRUE(talk.client.failed());
  EXPECT_EQ(shared.tls.counters.handshakes().get(), 1U);
}

// A protocol that has nothing to say to it closes; HTTP's answer is tested with HTTP.
TEST(Tls, PlainTextIsClosed) {
  for (const char* text : {"GET / HTTP/1.1\r\n", "hello\n", "\r\n"}) {
    Tls<Echo>::Shared shared(context());
    TestConnection<Tls<Echo>> server(shared);
    server.feed(text);
    server.settle();
    EXPECT_EQ(server.output, "");
    EXPECT_EQ(server.io.finished, Finish::linger);
    EXPECT_EQ(shared.tls.counters.failed(TlsFailure::plain_text).get(), 1U);
    EXPECT_EQ(shared.tls.counters.failed(TlsFailure::other).get(), 0U);
  }
}

TEST(Tls, GarbageEndsIt) {
  Tls<Echo>::Shared shared(context());
  for (const std::string& garbage :
       {std::string(100, '\0'), std::string(100, '\xff'), std::string("\x16\x03\x01\x00\x00", 5),
        std::string("\x16\x03\x01\xff\xff", 5) + std::string(20'000, '\x01')}) {
    TestConnection<Tls<Echo>> server(shared);
    server.feed(garbage);
    server.feed_end();
    EXPECT_TRUE(server.ended());
  }
  EXPECT_EQ(shared.tls.counters.handshakes().get(), 0U);
}

TEST(Tls, AHandshakeHasLimitedTime) {
  Tls<Echo>::Shared shared(context());
  TestConnection<Tls<Echo>> silent(shared);
  TlsTalk<Tls<Echo>> half(shared);
  half.server.feed(half.client.take_records().substr(0, 20));
  for (auto* server : {&silent, &half.server}) {
    server->pass(9'000);
    EXPECT_FALSE(server->ended());
    server->pass(2'000);
    EXPECT_EQ(server->io.finished, Finish::close);
  }
  EXPECT_EQ(shared.tls.counters.failed(TlsFailure::late).get(), 2U);
}

// Whoever comes later waits, the first first, and what he sent is kept.
TEST(Tls, HandshakesAtOnceAreLimited) {
  TlsOptions options = self_signed();
  options.handshakes_max = 1;
  const auto one = std::make_shared<const TlsContext>(options);
  Tls<Echo>::Shared shared(one);
  TlsTalk<Tls<Echo>> first(shared), second(shared), third(shared);
  first.server.feed(first.client.take_records());
  second.go_on();
  third.go_on();
  EXPECT_FALSE(second.client.connected());
  EXPECT_TRUE(first.connect());
  third.go_on();
  EXPECT_FALSE(third.client.connected()) << "it overtook";
  EXPECT_TRUE(second.connect());
  EXPECT_TRUE(third.connect());
  EXPECT_EQ(shared.tls.counters.waited().get(), 2U);
}

// A turn has one step of a handshake, whoever's it is; who waits for it goes first in the next.
TEST(Tls, ATurnHasOneStepOfAHandshake) {
  Handshakes handshakes(4);
  bool woken = false;
  const Waker waker{&woken, [](void* flag) noexcept { *static_cast<bool*>(flag) = true; }};
  Handshakes::Place first, second, third;
  for (auto* place : {&first, &second, &third}) EXPECT_TRUE(handshakes.enter(*place, waker));
  EXPECT_TRUE(handshakes.take_step(first, waker));
  EXPECT_FALSE(handshakes.turn_is_due());
  EXPECT_FALSE(handshakes.take_step(second, waker));
  EXPECT_FALSE(handshakes.take_step(third, waker));
  EXPECT_TRUE(handshakes.turn_is_due());
  EXPECT_FALSE(woken);
  handshakes.begin_turn();
  EXPECT_TRUE(woken);
  EXPECT_FALSE(handshakes.take_step(first, waker)) << "it overtook";
  EXPECT_TRUE(handshakes.take_step(second, waker));
  EXPECT_FALSE(handshakes.take_step(second, waker)) << "two in one turn";
  handshakes.leave(third);
  handshakes.begin_turn();
  EXPECT_TRUE(handshakes.take_step(first, waker));
  handshakes.begin_turn();
  EXPECT_TRUE(handshakes.take_step(second, waker));
  EXPECT_FALSE(handshakes.turn_is_due());
}

// A lost connection gives its place to the next.
TEST(Tls, AnAbortedHandshakeLeavesItsPlace) {
  TlsOptions options = self_signed();
  options.handshakes_max = 1;
  const auto one = std::make_shared<const TlsContext>(options);
  Tls<Echo>::Shared shared(one);
  TlsTalk<Tls<Echo>> waits(shared);
  {
    TlsTalk<Tls<Echo>> first(shared);
    TlsTalk<Tls<Echo>> gone(shared);
    first.server.feed(first.client.take_records());
    gone.go_on();
    waits.go_on();
    EXPECT_FALSE(waits.client.connected());
  }
  EXPECT_TRUE(waits.connect());
}

// A reload: who has begun keeps its context to the end, though nobody else has it any more.
TEST(Tls, ANewContextIsForNewConnections) {
  TlsFiles files;
  const auto with_name = [&](const std::string& name, std::shared_ptr<TicketKeys> keys) {
    const TlsFiles::Pair pair = files.make({name});
    TlsOptions options;
    options.certificates = {pair.certificate};
    options.keys = {pair.key};
    return std::make_shared<const TlsContext>(options, std::move(keys));
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Tls<Echo>::Shared shared(with_name("old", {}));
    TlsTalk<Tls<Echo>> open(shared, {.version = version}), half(shared, {.version = version});
    ASSERT_TRUE(open.connect());
    half.server.feed(half.client.take_records());
    shared.tls.context = with_name("new", shared.tls.context->ticket_keys());
    ASSERT_TRUE(half.connect());
    EXPECT_EQ(half.client.server_name(), "old");
    for (auto* talk : {&open, &half}) {
      talk->say("x");
      EXPECT_EQ(talk->client.text, "x");
    }
    const SessionPointer session = half.client.session();
    TlsTalk<Tls<Echo>> later(shared, {.version = version});
    ASSERT_TRUE(later.connect());
    EXPECT_EQ(later.client.server_name(), "new");
    TlsTalk<Tls<Echo>> again(shared, {.version = version, .session = session.get()});
    ASSERT_TRUE(again.connect());
    EXPECT_TRUE(again.client.resumed());
  }
}

// Why a client got no further is counted by its kind.
TEST(Tls, FailuresAreCountedByTheirKind) {
  TlsFiles files;
  const TlsFiles::Pair authority = files.make({"authority"});
  TlsOptions options = self_signed();
  options.version_min = TlsVersion::tls_1_3;
  options.alpn = {"http/1.1"};
  options.strict_sni = true;
  options.client_ca = authority.certificate;
  Tls<Echo>::Shared shared(std::make_shared<const TlsContext>(options));
  const auto count = [&](TlsFailure why) { return shared.tls.counters.failed(why).get(); };
  const std::pair<TlsFailure, TlsClientOptions> cases[] = {
      {TlsFailure::version, {.version = TLS1_2_VERSION, .name = "localhost"}},
      {TlsFailure::name, {.name = "other"}},
      {TlsFailure::protocol, {.name = "localhost", .alpn = {"h2"}}},
      {TlsFailure::certificate, {.name = "localhost"}}};
  for (const auto& [why, client] : cases) {
    TlsTalk<Tls<Echo>> talk(shared, client);
    talk.go_on();
    EXPECT_TRUE(talk.server.ended());
    EXPECT_EQ(count(why), 1U) << static_cast<int>(why);
  }
  {
    TlsTalk<Tls<Echo>> gone(shared);
    gone.server.feed(gone.client.take_records().substr(0, 50));
    gone.server.feed_end();
  }
  EXPECT_EQ(count(TlsFailure::cut), 1U);
  TestConnection<Tls<Echo>> garbage(shared);
  garbage.feed(std::string(100, '\xff'));
  EXPECT_EQ(count(TlsFailure::other), 1U);
  EXPECT_EQ(shared.tls.counters.handshakes().get(), 0U);
}

TEST(Tls, InsideOfTls) {
  const auto inner = std::make_shared<const TlsContext>(self_signed());
  Tls<Tls<Echo>>::Shared shared(context(), inner);
  TlsTalk<Tls<Tls<Echo>>> outer(shared);
  ASSERT_TRUE(outer.connect());
  TlsClient client;
  const auto pass = [&] {
    for (std::string records = client.take_records(); !records.empty();
         records = client.take_records()) {
      outer.say(records, 11);
      client.feed(std::exchange(outer.client.text, {}));
    }
  };
  pass();
  ASSERT_TRUE(client.connected());
  client.write(text_of_size(10'000));
  pass();
  EXPECT_EQ(client.text, text_of_size(10'000));
}

// What an inner protocol gives back is kept, and nothing is lost when all buffers are taken.
TEST(Tls, WithoutABufferForPlainBytes) {
  TlsOptions options = self_signed();
  options.plain_buffers = 1;
  const auto one = std::make_shared<const TlsContext>(options);
  Tls<Echo>::Shared shared(one);
  TlsTalk<Tls<Echo>> talk(shared);
  ASSERT_TRUE(talk.connect());
  TlsPlace place;
  PooledBuffer taken = shared.tls.plain.take(place, talk.server.io.waker());
  talk.say("later");
  EXPECT_EQ(talk.client.text, "");
  taken = {};
  talk.go_on();
  EXPECT_EQ(talk.client.text, "later");
}

// Whoever is lost between being woken for a buffer and taking it leaves it to the next in line.
TEST(Tls, TheLostLeaveTheirBufferToTheNext) {
  TlsOptions options = self_signed();
  options.plain_buffers = 1;
  const auto one = std::make_shared<const TlsContext>(options);
  Tls<Echo>::Shared shared(one);
  TlsTalk<Tls<Echo>> second(shared);
  ASSERT_TRUE(second.connect());
  TlsPlace place;
  {
    TlsTalk<Tls<Echo>> first(shared);
    ASSERT_TRUE(first.connect());
    PooledBuffer taken = shared.tls.plain.take(place, first.server.io.waker());
    first.say("first");
    second.say("second");
    taken = {};
    EXPECT_TRUE(first.server.io.woken);
  }
  second.go_on();
  EXPECT_EQ(second.client.text, "second");
}

}  // namespace
}  // namespace lab::test
