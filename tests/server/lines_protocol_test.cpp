// The line protocol without an engine: every cut, few buffers, and what an engine rarely does.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "06-server/lib/protocol/lines.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::test {
namespace {

constexpr int book = 5;

struct LinesAlone : testing::Test {
  using Client = TestConnection<Lines>;

  const std::string content = std::string(20'000, 'b') + std::string(20'000, 'c');
  const std::array<LineFile, 2> files{LineFile{"book", book, 40'000}, LineFile{"empty", 6, 0}};
  Lines::Shared shared{.files = files};

  void add_files(Client& client) { client.io.files = {{book, content}, {6, ""}}; }
};

const std::string hello(Lines::greeting);

TEST_F(LinesAlone, AnswersAreTheSameInEveryCutWithFewBuffersAndLittleRoom) {
  const std::string asked = "a\nread book\n\nread empty\nread no\nb\nbye\nc\n";
  const std::string heard = hello + "1: a\n2: 40000 bytes of book\n" + content +
                            "3: \n4: 0 bytes of empty\n5: no such file\n6: b\n7: bye\n";
  const TestLimits easy;
  const TestLimits tight{.buffers = 1, .room_bytes = 1, .file_piece_bytes = 999};
  for (const TestLimits& limits : {easy, tight}) {
    for (std::size_t piece = 1; piece <= asked.size(); ++piece) {
      Client client(shared, limits);
      add_files(client);
      client.settle();
      client.feed(asked, piece);
      EXPECT_TRUE(client.output == heard) << "pieces of " << piece;
      EXPECT_EQ(client.io.finished, Finish::close);
    }
  }
}

TEST_F(LinesAlone, ALineOfTheLargestSizeIsAnsweredAndALargerOneIsNot) {
  const std::string largest(Lines::line_max, 'x');
  for (const std::size_t piece : {1U, 7U, 1000U}) {
    Client client(shared);
    client.feed(largest + "\n" + largest + "x\n", piece);
    EXPECT_EQ(client.output, hello + "1: " + largest + "\n2: too long\n");
    EXPECT_EQ(client.io.finished, Finish::linger);
  }
}

TEST_F(LinesAlone, HalfALineIsNotAnsweredAtTheEnd) {
  Client client(shared);
  client.feed("a\nhalf");
  EXPECT_FALSE(client.protocol().idle());
  client.feed_end();
  EXPECT_EQ(client.output, hello + "1: a\n");
  EXPECT_EQ(client.io.finished, Finish::close);
}

TEST_F(LinesAlone, AFileIsSentWholeAfterTheEnd) {
  const TestLimits limits{.room_bytes = 10'000};
  Client client(shared, limits);
  add_files(client);
  client.peer_reads = false;
  client.feed("read book\n");
  client.feed_end();
  EXPECT_FALSE(client.ended());
  client.peer_reads = true;
  client.settle();
  EXPECT_TRUE(client.output == hello + "1: 40000 bytes of book\n" + content);
  EXPECT_EQ(client.io.finished, Finish::close);
}

TEST_F(LinesAlone, AFileThatIsShorterThanSaidIsAReset) {
  Client client(shared);
  add_files(client);
  client.io.files[book].resize(30'000);
  client.feed("read book\n");
  EXPECT_TRUE(client.io.was_reset);
}

TEST_F(LinesAlone, ALineHasItsTime) {
  Client client(shared);
  client.feed("slow");
  client.pass(9'000);
  client.feed("er");  // more of it does not make the time longer
  client.pass(900);
  EXPECT_FALSE(client.ended());
  client.pass(200);
  EXPECT_EQ(client.output, hello + "1: too slow\n");
  EXPECT_EQ(client.io.finished, Finish::linger);
}

TEST_F(LinesAlone, WhoIsTooSlowIsToldAsSoonAsThereIsABuffer) {
  const TestLimits limits{.buffers = 1};
  Client client(shared, limits);
  client.feed("slow");
  PooledBuffer taken = client.io.take_buffer();
  ASSERT_TRUE(taken);
  client.pass(10'000);
  EXPECT_FALSE(client.ended());
  taken = PooledBuffer();
  client.io.woken = true;
  client.settle();
  EXPECT_EQ(client.output, hello + "1: too slow\n");
}

TEST_F(LinesAlone, WhoWaitsForABufferIsNotTooSlow) {
  const TestLimits limits{.buffers = 1};
  Client client(shared, limits);
  client.feed("hel");
  PooledBuffer taken = client.io.take_buffer();
  client.feed("lo\n");
  client.pass(20'000);
  EXPECT_FALSE(client.ended());
  taken = PooledBuffer();
  client.io.woken = true;
  client.settle();
  EXPECT_EQ(client.output, hello + "1: hello\n");
}

}  // namespace
}  // namespace lab::test
