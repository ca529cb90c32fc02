// HTTP inside of TLS, without a ring: the table again, and what a client gets that speaks no TLS.
#include <gtest/gtest.h>

#include "tests/http/protocol_run.hpp"
#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

using Https = Tls<HttpTestProtocol>;
static_assert(Protocol<Https>);

struct HttpsWorld : HttpWorld {
  explicit HttpsWorld(bool streamed = false) : HttpWorld(streamed) {}
  static TlsOptions with_alpn() {
    TlsOptions tls = self_signed();
    tls.alpn = {"http/1.1"};
    return tls;
  }
  std::shared_ptr<const TlsContext> context = std::make_shared<TlsContext>(with_alpn());
  Https::Shared https{context, options, source, counters};
};

struct Ticks : ProtocolDefaults {
  struct Shared {
    void on_tick(std::uint32_t) noexcept { ++count; }
    unsigned count = 0;
  };
  explicit Ticks(Shared&) noexcept {}
  void on_bytes(auto&, Segment) noexcept {}
};

Transcript run_case_over_tls(HttpsWorld& world, const Case& wanted, int version,
                             const Delivery& delivery) {
  TlsTalk<Https> talk(world.https, {.version = version}, delivery.limits);
  talk.server.io.files = world.site.streams();
  EXPECT_TRUE(talk.connect(delivery.piece));
  for (const Step& step : wanted.steps) {
    if (step.kind == Step::Kind::end) {
      talk.client.close_notify();
      talk.go_on(delivery.piece);
    } else if (step.kind == Step::Kind::pass) {
      talk.server.pass(step.milliseconds);
      talk.go_on(delivery.piece);
    } else {
      talk.say(step.text, delivery.piece);
    }
  }
  if (wanted.then == Then::open) talk.say(probe, delivery.piece);
  Transcript transcript{.bytes = talk.client.text};
  if (talk.server.io.was_reset) {
    transcript.end = End::reset;
  } else if (talk.server.io.finished) {
    transcript.end = *talk.server.io.finished == Finish::linger ? End::lingers : End::closed;
    EXPECT_TRUE(talk.client.got_close_notify()) << wanted.name << ": FIN without close_notify";
  }
  return transcript;
}

void expect_all_over_tls(int version, const Delivery& delivery, bool streamed) {
  HttpsWorld world(streamed);
  const auto cases =
      read_cases(LAB_HTTP_CASES, [&](const std::string& path, const std::string& coding) {
        return find_test_tag(world.site, path, coding);
      });
  // A handshake each: with a sanitizer a part of them is enough.
#ifdef LAB_SANITIZED
  constexpr std::size_t stride = 10;
#else
  constexpr std::size_t stride = 1;
#endif
  for (std::size_t at = 0; at < cases.size(); at += stride) {
    const Case& wanted = cases[at];
    const auto wrong = compare(wanted, run_case_over_tls(world, wanted, version, delivery));
    EXPECT_TRUE(wrong.empty()) << wanted.name << " " << wanted.title << joined(wrong);
  }
  EXPECT_EQ(world.source.first_in_use(), 0U);
  EXPECT_EQ(world.https.tls.plain.free(), world.context->options().plain_buffers);
}

TEST(HttpsCases, Whole) { expect_all_over_tls(TLS1_3_VERSION, {}, false); }

TEST(HttpsCases, StreamedInOneSmallBufferByAPeerThatReadsOneSegmentAtATime) {
  expect_all_over_tls(TLS1_2_VERSION,
                      {.limits = {.buffers = 1, .buffer_bytes = 1024, .room_bytes = 1}}, true);
}

TEST(Https, PlainTextGetsAPlain400WithTheReason) {
  HttpsWorld world;
  world.source.common = "X-Operator: yes\r\n";
  for (const char* text : {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "get", "\r\n"}) {
    TestConnection<Https> server(world.https);
    server.feed(text);
    server.settle();
    std::string_view rest = server.output;
    HttpAnswer answer;
    std::string problem;
    ASSERT_TRUE(take_answer(rest, false, answer, problem)) << problem;
    EXPECT_EQ(rest, "");
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body.find("speaks TLS"), std::string::npos) << answer.body;
    EXPECT_NE(answer.field("Date"), nullptr);
    EXPECT_NE(answer.field("X-Operator"), nullptr);
    ASSERT_NE(answer.field("Connection"), nullptr);
    EXPECT_EQ(*answer.field("Connection"), "close");
    EXPECT_EQ(server.io.finished, Finish::linger);
  }
  EXPECT_EQ(world.https.tls.counters.failed(TlsFailure::plain_text).get(), 3U);
  EXPECT_EQ(world.counters.answers(Status::bad_request).get(), 3U);
}

// Where no buffer is to be had, it is closed without a word.
TEST(Https, PlainTextWithoutABuffer) {
  HttpsWorld world;
  TestConnection<Https> server(world.https, {.buffers = 0});
  server.feed("GET / HTTP/1.1\r\n\r\n");
  server.settle();
  EXPECT_EQ(server.output, "");
  EXPECT_EQ(server.io.finished, Finish::linger);
}

TEST(Https, Alpn) {
  HttpsWorld world;
  TlsTalk<Https> none(world.https), chosen(world.https, {.alpn = {"h2", "http/1.1"}}),
      other(world.https, {.alpn = {"h2"}});
  EXPECT_TRUE(none.connect());
  EXPECT_TRUE(chosen.connect());
  EXPECT_EQ(chosen.client.alpn(), "http/1.1");
  EXPECT_FALSE(other.connect());
  EXPECT_EQ(other.client.alert(), SSL_AD_NO_APPLICATION_PROTOCOL);
}

// What a generation held is given back by the worker's tick, which reaches the site through TLS.
TEST(Https, TheTickReachesTheInnerProtocol) {
  const auto context = std::make_shared<const TlsContext>(self_signed());
  Tls<Ticks>::Shared shared(context);
  shared.on_tick(1);
  EXPECT_EQ(shared.inner.count, 1U);
}

}  // namespace
}  // namespace lab::test
