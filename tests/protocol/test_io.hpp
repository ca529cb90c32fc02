// An engine without a ring: what a protocol gets and what it does are values in memory.
//
// It is as hostile as an engine may be: buffers run out, room is 0 until the peer has taken what
// was sent, a piece of a file may be one byte. Each buffer is heap memory of its own, so a
// sanitizer sees who reads one that is home.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/protocol.hpp"

namespace lab::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view text_of(const Segment& segment) {
  return {reinterpret_cast<const char*>(segment.bytes().data()), segment.size()};
}

/// Buffers of one kind.
class TestBuffers : public SegmentOwner {
 public:
  explicit TestBuffers(SegmentKind kind)
      : SegmentOwner(
            kind,
            [](SegmentOwner& self, std::uint32_t id) noexcept { ++of(self).pieces_[id].readers; },
            [](SegmentOwner& self, std::uint32_t id) noexcept {
              if (--of(self).pieces_[id].readers == 0) of(self).pieces_.erase(id);
            }) {}
  ~TestBuffers() { EXPECT_EQ(out(), 0U) << "buffers that did not come home"; }

  std::size_t out() const { return pieces_.size(); }
  std::pair<std::uint32_t, std::span<std::byte>> make(std::size_t size) {
    const std::uint32_t id = next_++;
    pieces_[id] = {std::make_unique<std::byte[]>(size), 1};
    return {id, {pieces_[id].memory.get(), size}};
  }
  Segment segment(std::string_view text) {
    const auto [id, space] = make(text.size());
    std::memcpy(space.data(), text.data(), text.size());
    return {*this, id, space};
  }

 private:
  struct Piece {
    std::unique_ptr<std::byte[]> memory;
    unsigned readers = 0;
  };
  static TestBuffers& of(SegmentOwner& self) { return static_cast<TestBuffers&>(self); }

  std::map<std::uint32_t, Piece> pieces_;
  std::uint32_t next_ = 0;
};

struct TestLimits {
  unsigned buffers = 8;
  std::size_t buffer_bytes = 16 * 1024;
  std::uint32_t room_bytes = 64 * 1024;
  std::size_t file_piece_bytes = 16 * 1024;
};

class TestIo {
 public:
  using File = std::string;  ///< its content, found by its descriptor

  explicit TestIo(const TestLimits& limits = {}) : limits_(limits) {}

  // --- the Io ---
  void send(Segment bytes) noexcept {
    EXPECT_FALSE(finished || was_reset) << "bytes after the end";
    EXPECT_TRUE(room() > 0 || bytes.kind() == SegmentKind::received) << "sent without room";
    EXPECT_FALSE(bytes.empty());
    outbox.push_back(std::move(bytes));
  }
  std::uint32_t room() const noexcept {
    std::uint32_t queued = 0;
    for (const Segment& segment : outbox) queued += segment.size();
    return limits_.room_bytes > queued ? limits_.room_bytes - queued : 0;
  }
  bool all_sent() const noexcept { return outbox.empty(); }
  PooledBuffer take_buffer() noexcept {
    if (!has_buffer()) {
      wants_buffer = true;
      return {};
    }
    const auto [id, space] = pooled.make(limits_.buffer_bytes);
    return {pooled, id, space};
  }
  bool read_file(const FileRange& range) noexcept {
    EXPECT_FALSE(reading) << "two reads at a time";
    if (!has_buffer()) {
      wants_buffer = true;
      return false;
    }
    reading = range;
    return true;
  }
  bool admit_request() noexcept {
    ++requests;
    return requests <= requests_max;
  }
  void pace() noexcept { ++requests; }
  void receive(Receive what) noexcept { receiving = what == Receive::on; }
  void unread(Segment bytes) noexcept {
    receiving = false;
    inbox.push_front(std::move(bytes));
  }
  void finish(Finish how) noexcept {
    EXPECT_FALSE(finished || was_reset) << "ended twice";
    finished = how;
    inbox.clear();
  }
  void reset() noexcept {
    was_reset = true;
    if (on_reset) on_reset();
  }
  std::uint32_t tick() const noexcept { return now; }
  Waker waker() noexcept {
    return {this, [](void* self) noexcept { static_cast<TestIo*>(self)->woken = true; }};
  }
  ClientAddress peer() const noexcept { return client; }

  bool has_buffer() const { return pooled.out() < limits_.buffers; }

  /// What the file has at that place, at most one piece.
  Segment piece() {
    const FileRange range = *std::exchange(reading, std::nullopt);
    const std::string& file = files.at(range.fd);
    const std::size_t from = std::min<std::size_t>(range.offset, file.size());
    return pooled.segment(std::string_view(file).substr(
        from, std::min<std::size_t>({range.length, limits_.file_piece_bytes, file.size() - from})));
  }

  /// Received segments among those that wait to be sent.
  std::size_t unsent_received() const {
    return static_cast<std::size_t>(
        std::count_if(outbox.begin(), outbox.end(),
                      [](const Segment& one) { return one.kind() == SegmentKind::received; }));
  }

  TestBuffers received{SegmentKind::received};
  TestBuffers pooled{SegmentKind::pooled};
  std::map<int, File> files;
  std::deque<Segment> inbox;
  std::deque<Segment> outbox;
  std::optional<FileRange> reading;
  std::optional<Finish> finished;
  bool was_reset = false;
  bool receiving = true;
  bool woken = false;
  std::function<void()> on_reset;  ///< an engine tells the protocol within
  bool wants_buffer = false;       ///< none was there when one was asked for
  std::uint32_t now = 1000;
  ClientAddress client;
  std::uint32_t requests = 0;        ///< that were counted, the refused ones too
  std::uint32_t requests_max = ~0U;  ///< those after them are refused

 private:
  TestLimits limits_;
};
static_assert(Io<TestIo>);

/// One connection of a protocol, and its peer.
template <class P>
class TestConnection {
 public:
  explicit TestConnection(typename P::Shared& shared, const TestLimits& limits = {})
      : io(limits), shared_(shared), protocol_(std::make_unique<P>(shared)) {
    io.on_reset = [this] { protocol_->on_abort(); };
    protocol_->on_open(io);
  }
  ~TestConnection() {
    if (!io.was_reset) protocol_->on_abort();
    protocol_.reset();
  }

  /// The peer writes these bytes, and they arrive in pieces of this size.
  void feed(std::string_view bytes, std::size_t piece = ~std::size_t{0}) {
    while (!bytes.empty() && !ended()) {
      io.inbox.push_back(io.received.segment(bytes.substr(0, piece)));
      bytes.remove_prefix(std::min(piece, bytes.size()));
      settle();
    }
  }
  void feed_end() {
    if (ended()) return;
    protocol_->on_end(io);
    settle();
  }
  /// Time passes, as in an engine that looks at deadlines now and then.
  void pass(std::uint32_t milliseconds) {
    for (std::uint32_t ticks = milliseconds / protocol_tick_ms; ticks > 0; --ticks) {
      ++io.now;
      if constexpr (requires { shared_.on_tick(io.now); }) {
        shared_.on_tick(io.now);
        settle();
      }
    }
    const std::uint32_t deadline = protocol_->deadline();
    if (deadline == no_deadline || static_cast<std::int32_t>(io.now - deadline) < 0) return;
    protocol_->on_turn(io);
    settle();
  }
  void drain() {
    protocol_->on_drain(io);
    settle();
    if (!ended() && protocol_->idle()) wind_up();
  }
  /// As an engine does with who rests in a drain, or is idle for too long.
  void wind_up() {
    protocol_->on_wind_up(io);
    settle();
    if (!ended()) io.finish(Finish::close);
    settle();
  }

  /// The peer takes what was sent, files are read, and bytes go in while they are wanted.
  void settle() {
    while (step()) {
    }
  }
  /// @return whether something happened
  bool step() {
    begin_turn(shared_);
    if (io.was_reset) {
      io.outbox.clear();
      io.inbox.clear();
      return false;
    }
    if (!ended() && io.receiving && !io.inbox.empty()) {
      Segment bytes = std::move(io.inbox.front());
      io.inbox.pop_front();
      protocol_->on_bytes(io, std::move(bytes));
      EXPECT_EQ(io.received.out(), io.inbox.size() + io.unsent_received() + protocol_->leases())
          << "it keeps a buffer";
      return true;
    }
    if (io.reading) {
      protocol_->on_file(io, io.piece());
      return true;
    }
    if (peer_reads && !io.outbox.empty()) {
      output += text_of(io.outbox.front());
      io.outbox.pop_front();
      protocol_->on_turn(io);
      return true;
    }
    if (io.wants_buffer && io.has_buffer()) {
      io.wants_buffer = false;
      protocol_->on_turn(io);
      return true;
    }
    if (std::exchange(io.woken, false)) {
      protocol_->on_turn(io);
      return true;
    }
    return false;
  }

  bool ended() const { return io.finished || io.was_reset; }
  P& protocol() { return *protocol_; }

  TestIo io;
  std::string output;
  bool peer_reads = true;

 private:
  typename P::Shared& shared_;
  std::unique_ptr<P> protocol_;
};

}  // namespace lab::test
