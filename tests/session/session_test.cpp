// What a session's code can do, on an engine in memory.

#include "06-server/lib/protocol/session/session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

#include "tests/protocol/test_io.hpp"
#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

Task echo(FramePool&, SessionIo& session) {
  while (const Received got = co_await session.read()) {
    for (Segment& bytes : got.segments) co_await session.send(std::move(bytes));
  }
  co_return 0;
}
using EchoSession = Session<echo>;

static_assert(Protocol<EchoSession>);
static_assert(Protocol<Tls<EchoSession>>);
static_assert(Protocol<Session<[](FramePool&, SessionIo&) -> Task { co_return 0; }>>);

const SessionOptions few{.frames_max = 4};

std::string random_text(std::mt19937& random, std::size_t size) {
  std::string text(size, ' ');
  for (char& one : text) one = static_cast<char>(random());
  return text;
}

TEST(Session, EchoesWhateverTheCutTheBuffersAndThePeer) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
    EchoSession::Shared shared(few);
    TestConnection<EchoSession> client(
        shared, {.buffers = below(3), .buffer_bytes = 1 + below(100), .room_bytes = below(200)});
    std::string said;
    for (unsigned turn = below(30); turn > 0; --turn) {
      client.peer_reads = below(3) > 0;
      const std::string text = random_text(random, below(300));
      client.feed(text, 1 + below(100));
      said += text;
    }
    client.peer_reads = true;
    client.settle();
    EXPECT_EQ(client.output, said) << "seed " << seed;
    client.feed_end();
    EXPECT_EQ(client.io.finished, Finish::close) << "seed " << seed;
    EXPECT_EQ(shared.frames().used(), 0U) << "seed " << seed;
  }
}

TEST(Session, ReadBringsAllThatHasComeMeanwhile) {
  using Body = Session<[](FramePool&, SessionIo& session) -> Task {
    co_await session.sleep(100);
    const Received got = co_await session.read();
    co_await session.write(std::to_string(got.segments.size()));
    for (const Segment& bytes : got.segments) co_await session.write(text_of(bytes));
    co_return 0;
  }>;
  Body::Shared shared(few);
  TestConnection<Body> client(shared);
  client.feed("one");
  client.feed(" two");
  client.feed(" three");
  EXPECT_EQ(client.protocol().leases(), 3U);
  client.pass(200);
  EXPECT_EQ(client.output, "3one two three");
  EXPECT_EQ(client.io.received.out(), 0U);
  EXPECT_EQ(client.io.finished, Finish::linger) << "the peer may still be sending";
}

TEST(Session, KeepsFewAndTheEngineTheRest) {
  using Body = Session<[](FramePool&, SessionIo& session) -> Task {
    for (;;) {
      co_await session.sleep(1000);
      const Received got = co_await session.read();
      if (!got) break;
      for (Segment& bytes : got.segments) co_await session.send(std::move(bytes));
    }
    co_return 0;
  }>;
  Body::Shared shared(few);
  TestConnection<Body> client(shared);
  std::string said;
  for (char letter = 'a'; letter <= 'z'; ++letter) said += letter;
  client.feed(said, 1);
  EXPECT_EQ(client.protocol().leases(), SessionInput::segments_max);
  EXPECT_FALSE(client.io.receiving);
  EXPECT_FALSE(client.protocol().idle());
  for (unsigned turn = 0; turn < 10; ++turn) client.pass(1100);
  EXPECT_EQ(client.output, said);
  EXPECT_TRUE(client.io.receiving);
}

TEST(Session, WritesAndSendsInOrderThroughOneSmallBuffer) {
  using Body = Session<[](FramePool&, SessionIo& session) -> Task {
    for (int number = 0; number < 100; ++number) {
      co_await session.write(std::to_string(number));
      static constexpr std::string_view mark = "[a constant]";
      co_await session.send(Segment::stable(bytes_of(mark)));
    }
    co_return 0;
  }>;
  std::string wanted;
  for (int number = 0; number < 100; ++number) wanted += std::to_string(number) + "[a constant]";
  for (const TestLimits& limits :
       {TestLimits{}, TestLimits{.buffers = 1, .buffer_bytes = 1, .room_bytes = 1},
        TestLimits{.buffers = 1, .buffer_bytes = 7, .room_bytes = 20}}) {
    Body::Shared shared(few);
    TestConnection<Body> client(shared, limits);
    client.settle();
    EXPECT_EQ(client.output, wanted);
    EXPECT_TRUE(client.ended());
  }
}

TEST(Session, SmallWritesShareABuffer) {
  using Body = Session<[](FramePool&, SessionIo& session) -> Task {
    for (int number = 0; number < 10; ++number) co_await session.write("0123456789");
    co_await session.read();
    co_return 0;
  }>;
  Body::Shared shared(few);
  TestConnection<Body> client(shared);
  EXPECT_EQ(client.io.outbox.size(), 1U) << "and it leaves when the code waits";
  client.settle();
  EXPECT_EQ(client.output.size(), 100U);
}

TEST(Session, FlushWaitsUntilAllIsSent) {
  using Body = Session<[](FramePool&, SessionIo& session, std::string& notes) -> Task {
    co_await session.write("hello");
    co_await session.flush();
    notes = "flushed";
    co_await session.read();
    co_return 0;
  }>;
  Body::Shared shared(few);
  TestConnection<Body> client(shared);
  EXPECT_EQ(shared.state, "");
  EXPECT_FALSE(client.protocol().idle());
  client.settle();
  EXPECT_EQ(shared.state, "flushed");
  EXPECT_TRUE(client.protocol().idle());
}

TEST(Session, SpeaksOverTls) {
  static const auto context = std::make_shared<const TlsContext>(self_signed());
  std::mt19937 random(1);
  const std::string text = random_text(random, 100'000);
  for (const TestLimits& limits :
       {TestLimits{}, TestLimits{.buffers = 1, .buffer_bytes = 100, .room_bytes = 1}}) {
    using Protocol = Tls<EchoSession>;
    Protocol::Shared shared(context, few);
    TlsTalk<Protocol> talk(shared, {}, limits);
    ASSERT_TRUE(talk.connect());
    talk.say(text, 5000);
    EXPECT_TRUE(talk.client.text == text) << talk.client.text.size();
    talk.client.close_notify();
    talk.go_on();
    EXPECT_TRUE(talk.client.got_close_notify());
    EXPECT_EQ(shared.inner.frames().used(), 0U);
    EXPECT_EQ(shared.tls.plain.free(), context->options().plain_buffers);
  }
}

TEST(Session, SleepsAndIsWoundUpOverTls) {
  static const auto context = std::make_shared<const TlsContext>(self_signed());
  using Inner = Session<[](FramePool&, SessionIo& session) -> Task {
    co_await session.sleep(100);
    co_await session.write("awake");
    if ((co_await session.read()).result == SessionResult::drain) {
      co_await session.write(", bye");
    }
    co_return 0;
  }>;
  Tls<Inner>::Shared shared(context, few);
  TlsTalk<Tls<Inner>> talk(shared);
  ASSERT_TRUE(talk.connect());
  EXPECT_EQ(talk.client.text, "");
  talk.server.pass(200);
  talk.go_on();
  EXPECT_EQ(talk.client.text, "awake");
  talk.server.drain();
  talk.go_on();
  EXPECT_EQ(talk.client.text, "awake");
  talk.server.pass(300);  // nothing has come in a while
  talk.go_on();
  EXPECT_EQ(talk.client.text, "awake, bye");
  EXPECT_TRUE(talk.client.got_close_notify());
  EXPECT_EQ(talk.server.io.finished, Finish::close);
}

}  // namespace
}  // namespace lab::test
