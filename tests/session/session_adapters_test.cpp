// PipeReader, ByteStream and BufferWriter: the same bytes, whatever the cut.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "06-server/lib/protocol/session/buffer_writer.hpp"
#include "06-server/lib/protocol/session/byte_stream.hpp"
#include "06-server/lib/protocol/session/pipe_reader.hpp"
#include "06-server/lib/protocol/session/session.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::test {
namespace {

constexpr std::size_t line_max = 20;
const SessionOptions two_frames{.frames_max = 2};

// Says how each line ended, and keeps them.
Task lines(FramePool&, SessionIo& session, std::string& ended) {
  std::array<std::byte, line_max + 1> memory;
  PipeReader reader(session, memory);
  PipeReader::Piece line;
  while ((line = co_await reader.read_until('\n', line_max))) {
    co_await session.write("<");
    co_await session.write(line.text());
    co_await session.write(">");
  }
  ended = line.result == SessionResult::too_long ? "too long: " : "ended: ";
  ended += line.text();
  co_return 0;
}
using LineSession = Session<lines>;

// What the text is in one piece.
std::string expected(std::string_view text, std::string& ended) {
  std::string answer;
  for (;;) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > line_max) {
      ended = "too long";
      return answer;
    }
    if (end == text.size()) {
      ended = "ended: " + std::string(text);
      return answer;
    }
    answer += "<" + std::string(text.substr(0, end)) + ">";
    text.remove_prefix(end + 1);
  }
}

TEST(SessionPipe, FindsTheSameLinesWhateverTheCut) {
  const std::string longest(line_max, 'x');
  for (const std::string& text :
       {std::string("one\ntwo\n\n\nthree"), std::string("\n"), std::string(),
        longest + "\n" + longest, "a\n" + longest + "x\nb\n", longest + "x",
        std::string("a\n") + std::string(500, 'y')}) {
    std::string wanted_end;
    const std::string wanted = expected(text, wanted_end);
    for (std::size_t piece = 1; piece <= std::min<std::size_t>(text.size() + 1, 60); ++piece) {
      for (const TestLimits& limits :
           {TestLimits{}, TestLimits{.buffers = 1, .buffer_bytes = 1, .room_bytes = 1}}) {
        LineSession::Shared shared(two_frames);
        TestConnection<LineSession> client(shared, limits);
        client.feed(text, piece);
        client.feed_end();
        EXPECT_EQ(client.output, wanted) << text << " in pieces of " << piece;
        EXPECT_TRUE(shared.state.starts_with(wanted_end)) << shared.state << " in " << piece;
        EXPECT_TRUE(client.ended());
      }
    }
  }
}

TEST(SessionPipe, KeepsNoBufferWhileItWaitsAndIsNotIdle) {
  LineSession::Shared shared(two_frames);
  TestConnection<LineSession> client(shared);
  EXPECT_TRUE(client.protocol().idle());
  client.feed("half a");
  EXPECT_EQ(client.io.received.out(), 0U);
  EXPECT_FALSE(client.protocol().idle()) << "a drain waits for the other half";
  client.feed(" line\n");
  EXPECT_EQ(client.output, "<half a line>");
  EXPECT_TRUE(client.protocol().idle());
}

// A message is its length, in one digit, and so many letters; read() in the manner of pipelines.
Task messages(FramePool&, SessionIo& session, std::string& ended) {
  std::array<std::byte, 10> memory;
  PipeReader reader(session, memory);
  for (;;) {
    const PipeReader::Piece piece = co_await reader.read();
    if (!piece) {
      ended = piece.text();
      co_return 0;
    }
    const std::string_view text = piece.text();
    const auto size = static_cast<std::size_t>(text[0] - '0');
    if (text.size() <= size) {
      reader.advance(0, text.size());
    } else {
      const std::string message(text.substr(1, size));
      reader.advance(size + 1);
      co_await session.write("(" + message + ")");
    }
  }
}

TEST(SessionPipe, AdvanceConsumesAndExamines) {
  using Messages = Session<messages>;
  const std::string text =
      "3abc0"
      "9ninechars"
      "1x2yz"
      "5hal";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    Messages::Shared shared(two_frames);
    TestConnection<Messages> client(shared);
    client.feed(text, piece);
    client.feed_end();
    EXPECT_EQ(client.output, "(abc)()(ninechars)(x)(yz)") << piece;
    EXPECT_EQ(shared.state, "5hal") << "what was left over";
  }
}

TEST(SessionStream, ReadsIntoMemoryOfItsOwn) {
  using Copies = Session<[](FramePool&, SessionIo& session) -> Task {
    ByteStream stream(session);
    std::array<std::byte, 7> memory;
    while (const ByteStream::Count got = co_await stream.read(memory)) {
      co_await stream.write(std::span(memory).first(got.count));
    }
    co_return 0;
  }>;
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    Copies::Shared shared(two_frames);
    TestConnection<Copies> client(shared, {.buffers = 1, .buffer_bytes = 5, .room_bytes = 3});
    client.feed(text, piece);
    client.feed_end();
    EXPECT_EQ(client.output, text) << piece;
    EXPECT_EQ(client.io.finished, Finish::close);
  }
}

TEST(SessionWriter, WritesWhereItIsSentFrom) {
  using Counts = Session<[](FramePool&, SessionIo& session) -> Task {
    BufferWriter writer(session);
    for (int number = 0; number < 50; ++number) {
      const BufferWriter::Space space = co_await writer.get_span(3);
      auto* const begin = reinterpret_cast<char*>(space.bytes.data());
      char* const end = std::to_chars(begin, begin + 2, number).ptr;
      *end = ' ';
      writer.advance(static_cast<std::size_t>(end + 1 - begin));
    }
    co_await session.write((co_await writer.get_span(1000)).result == SessionResult::too_long
                               ? "no buffer is so large"
                               : "there is such a buffer");
    co_return 0;
  }>;
  std::string wanted;
  for (int number = 0; number < 50; ++number) wanted += std::to_string(number) + " ";
  wanted += "no buffer is so large";
  for (const std::size_t size : {3U, 4U, 10U, 999U}) {
    Counts::Shared shared(two_frames);
    TestConnection<Counts> client(shared, {.buffers = 1, .buffer_bytes = size, .room_bytes = 1});
    client.settle();
    EXPECT_EQ(client.output, wanted) << size;
  }
}

}  // namespace
}  // namespace lab::test
