// What a protocol inside of TLS is told of room, where a piece of a file comes while records wait.

#include "06-server/lib/protocol/tls/tls_io.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

// Asks for a file with the first bytes that come, and sends back those that come then. It asserts
// nothing itself: what it saw, the test looks at.
class ReadsAndEchoes : public ProtocolDefaults {
 public:
  static constexpr bool uses_buffers = true;
  struct Shared {
    std::uint32_t room_for_piece = 0;  ///< when the piece was told, and after it was sent
    std::uint32_t room_after_piece = 0;
    bool reads_while_blocked = false;
    std::uint32_t room_below = 0;  ///< what the engine has then
    TestIo* below = nullptr;
  };

  explicit ReadsAndEchoes(Shared& shared) noexcept : shared_(shared) {}
  void on_bytes(auto& io, Segment bytes) noexcept {
    if (!std::exchange(asked_, true)) {
      io.read_file({.fd = 5, .offset = 0, .length = 100});
      return;
    }
    io.send(std::move(bytes));
    shared_.reads_while_blocked = io.read_file({.fd = 5, .offset = 0, .length = 100});
  }
  void on_file(auto& io, Segment piece) noexcept {
    shared_.room_for_piece = io.room();
    shared_.room_below = shared_.below->room();
    if (shared_.room_for_piece == 0) return;
    io.send(std::move(piece));
    shared_.room_after_piece = io.room();
  }

 private:
  Shared& shared_;
  bool asked_ = false;
};

using Talk = TlsTalk<Tls<ReadsAndEchoes>>;

class TlsPieces : public testing::Test {
 protected:
  // Asks for the file. In an engine its piece is on its way then; here the test brings it.
  void ask(Talk& talk) {
    shared_.inner.below = &talk.server.io;
    talk.server.io.files[5] = "a piece of a file";
    ASSERT_TRUE(talk.connect());
    talk.server.peer_reads = false;
    talk.client.write("file\n");
    feed_one(talk);
    ASSERT_TRUE(talk.server.io.reading);
  }
  void feed_one(Talk& talk) {
    auto& io = talk.server.io;
    begin_turn(shared_);
    talk.server.protocol().on_bytes(io, io.received.segment(talk.client.take_records()));
  }
  void bring_piece(Talk& talk) {
    auto& io = talk.server.io;
    talk.server.protocol().on_file(io, io.piece());
  }

  std::shared_ptr<const TlsContext> context_ = std::make_shared<const TlsContext>(self_signed());
  Tls<ReadsAndEchoes>::Shared shared_{context_};
};

// Kept, its buffer would be what the records before it wait for, for ever.
TEST_F(TlsPieces, ThereIsRoomForOneThatComesWhileRecordsWait) {
  Talk talk(shared_, {}, {.buffers = 1, .buffer_bytes = 1000});
  ask(talk);
  const std::string echoed(8000, 'e');
  talk.client.write(echoed);
  feed_one(talk);
  ASSERT_FALSE(talk.server.io.has_buffer()) << "the echo has it, and waits for more";
  EXPECT_FALSE(shared_.inner.reads_while_blocked) << "another piece would take a buffer from it";
  bring_piece(talk);
  EXPECT_GT(shared_.inner.room_for_piece, 0U);
  EXPECT_EQ(shared_.inner.room_after_piece, 0U) << "there is room for one";
  EXPECT_LE(talk.server.io.pooled.out(), 1U) << "its buffer is home";
  talk.server.peer_reads = true;
  talk.go_on();
  EXPECT_TRUE(talk.client.text == echoed + "a piece of a file") << talk.client.text.size();
}

TEST_F(TlsPieces, OtherwiseThereIsAsMuchAsBelow) {
  Talk talk(shared_, {}, {.buffers = 2});
  ask(talk);
  bring_piece(talk);
  EXPECT_GT(shared_.inner.room_below, 1U);
  EXPECT_EQ(shared_.inner.room_for_piece, shared_.inner.room_below);
  talk.server.peer_reads = true;
  talk.go_on();
  EXPECT_EQ(talk.client.text, "a piece of a file");
}

}  // namespace
}  // namespace lab::test
