// Judges the exercise of 06-server/13-sessions: clients of a shelf, on an engine in memory whose
// time passes only when the judge says so. Nobody edits this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "01-core/lesson.hpp"
#include "06-server/08-your-protocol/memory_io.hpp"
#include "06-server/lib/protocol/session/pipe_reader.hpp"
#include "06-server/lib/protocol/session/session.hpp"

namespace check {

inline constexpr std::size_t line_max = 40;           // bytes, without its end
inline constexpr std::size_t shelf_max = 3;           // words
inline constexpr std::uint32_t patience_ms = 10'000;  // for the next line

/// What a session's hooks get.
class Io {
 public:
  void send(lab::Segment bytes) noexcept { outbox_.push_back(std::move(bytes)); }
  std::uint32_t room() const noexcept { return outbox_.size() < 4 ? 512 : 0; }
  bool all_sent() const noexcept { return outbox_.empty(); }
  lab::PooledBuffer take_buffer() noexcept { return buffer_.take(); }
  bool read_file(const lab::FileRange&) noexcept { return false; }
  void receive(lab::Receive what) noexcept { wants = what == lab::Receive::on; }
  void unread(lab::Segment bytes) noexcept {
    inbox.push_front(memory::text_of(bytes));
    wants = false;
  }
  void finish(lab::Finish) noexcept { ended = true; }
  void reset() noexcept { ended = true; }
  std::uint32_t tick() const noexcept { return now; }
  lab::ClientAddress peer() const noexcept { return {}; }
  bool admit_request() noexcept { return true; }
  void pace() noexcept {}
  lab::Waker waker() noexcept {
    return {this, [](void* self) noexcept { static_cast<Io*>(self)->woken = true; }};
  }

  /// The client hears the oldest of what was sent.
  bool deliver() {
    if (outbox_.empty()) return false;
    heard += memory::text_of(outbox_.front());
    outbox_.pop_front();
    return true;
  }

  std::deque<std::string_view> inbox;
  std::string heard;
  std::uint32_t now = 1000;
  bool wants = true;
  bool ended = false;
  bool woken = false;

 private:
  memory::OneBuffer buffer_;  // it outlives what lies in it
  std::deque<lab::Segment> outbox_;
};
static_assert(lab::Io<Io>);

template <class Protocol>
class Client {
 public:
  explicit Client(typename Protocol::Shared& shared) : shared_(shared), protocol_(shared) {
    protocol_.on_open(io_);
  }
  ~Client() { protocol_.on_abort(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void says(std::string words, std::size_t piece) {
    for (std::string_view rest = words; !rest.empty(); rest.remove_prefix(piece)) {
      piece = std::min(piece, rest.size());
      io_.inbox.push_back(rest.substr(0, piece));
      settle();
    }
    words.assign(words.size(), '!');  // receive buffers are used again
  }
  void leaves() {
    protocol_.on_end(io_);
    settle();
  }
  void waits(std::uint32_t seconds) {
    for (std::uint32_t tick = 0; tick < seconds * 1000 / lab::protocol_tick_ms; ++tick) {
      shared_.on_tick(++io_.now);
      settle();
    }
  }
  /// The server begins to drain, and ends whoever rests.
  void drain() {
    protocol_.on_drain(io_);
    settle();
    end_if_at_rest();
  }
  void end_if_at_rest() {
    if (io_.ended || !protocol_.idle()) return;
    protocol_.on_wind_up(io_);
    settle();
    io_.ended = true;
  }

  std::string heard() { return std::exchange(io_.heard, {}); }
  bool ended() const { return io_.ended; }

 private:
  void settle() {
    for (bool moves = true; moves;) {
      moves = io_.deliver();
      if (!io_.ended && io_.wants && !io_.inbox.empty()) {
        const auto bytes = std::as_bytes(std::span(io_.inbox.front()));
        io_.inbox.pop_front();
        protocol_.on_bytes(io_, lab::Segment::stable(bytes));
        moves = true;
      }
      moves = std::exchange(io_.woken, false) || moves;
      if (moves) protocol_.on_turn(io_);
    }
  }

  typename Protocol::Shared& shared_;
  Io io_;
  Protocol protocol_;
};

template <class Protocol>
class Judge {
 public:
  int run() {
    shelf_is_shared();
    shelf_is_limited();
    long_lines();
    silence();
    drain();
    std::printf("one shelf for all, every limit kept, and a word for everybody who is sent away\n");
    return lab::ok();
  }

 private:
  using Who = Client<Protocol>;

  static std::string shown(std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
      text.replace(at, 1, "\\n");
    }
    return "\"" + text + "\"";
  }

  static void hears(Who& client, const std::string& after, const std::string& wanted,
                    const char* look) {
    const std::string heard = client.heard();
    if (heard == wanted) return;
    lab::fail(after + ": the client hears " + shown(heard) + ", not " + shown(wanted), look);
  }

  void asks(Who& client, const std::string& line, const std::string& wanted, const char* look) {
    client.says(line + "\n", piece_);
    hears(client, shown(line + "\n") + " in pieces of " + std::to_string(piece_) + " bytes",
          wanted + "\n", look);
  }

  static void is_sent_away(const Who& client, const std::string& after) {
    if (!client.ended()) {
      lab::fail(after + ": the connection stays open", "co_return ends it (YOUR TURN 2 and 3)");
    }
  }

  void shelf_is_shared() {
    for (const std::size_t piece : {100, 1}) {
      piece_ = piece;
      typename Protocol::Shared shared;
      Who ann(shared);
      Who bob(shared);
      asks(ann, "put bread", "ok", "YOUR TURN 1: the word goes on the shelf");
      asks(ann, "put milk", "ok", "YOUR TURN 1: the word goes on the shelf");
      asks(bob, "take", "bread",
           "YOUR TURN 1: the oldest word, as it was: a line is valid until the next wait, so the "
           "shelf needs words of its own");
      asks(bob, "dance", "what?", "YOUR TURN 1: neither put nor take");
      asks(ann, "take", "milk", "YOUR TURN 1: one shelf for all sessions of the worker");
      asks(ann, "take", "nothing", "YOUR TURN 1: the shelf is empty");
      ann.says("put half a li", piece);
      ann.leaves();
      hears(ann, "a client leaves in the middle of a line", "", "YOUR TURN 3: nobody to talk to");
      is_sent_away(ann, "a client has left");
      asks(bob, "take", "nothing", "YOUR TURN 1: half a line is no line");
    }
  }

  void shelf_is_limited() {
    typename Protocol::Shared shared;
    Who ann(shared);
    for (std::size_t word = 0; word < shelf_max; ++word) asks(ann, "put egg", "ok", "YOUR TURN 1");
    asks(ann, "put egg", "full", "YOUR TURN 2: the shelf holds check::shelf_max words");
  }

  void long_lines() {
    typename Protocol::Shared shared;
    Who ann(shared);
    ann.says(std::string(3 * line_max, 'x'), 7);
    hears(ann, "a line longer than check::line_max", "too long\n", "YOUR TURN 2: which result?");
    is_sent_away(ann, "a line longer than check::line_max");
  }

  void silence() {
    typename Protocol::Shared shared;
    Who ann(shared);
    asks(ann, "put egg", "ok", "YOUR TURN 1");
    ann.waits(patience_ms / 1000 - 1);
    asks(ann, "take", "egg", "YOUR TURN 2: check::patience_ms are not over yet");
    ann.waits(patience_ms / 1000 - 1);
    asks(ann, "take", "nothing", "YOUR TURN 2: each line gets a deadline of its own");
    ann.waits(patience_ms / 1000 + 1);
    hears(ann, "silence for longer than check::patience_ms", "too slow\n",
          "YOUR TURN 2: session.deadline(), before each wait for a line");
    is_sent_away(ann, "silence for longer than check::patience_ms");
  }

  void drain() {
    typename Protocol::Shared shared;
    Who ann(shared);
    Who bob(shared);
    asks(ann, "put egg", "ok", "YOUR TURN 1");
    bob.says("ta", 2);
    for (Who* client : {&ann, &bob}) client->drain();
    hears(ann, "the server drains", "closing\n", "YOUR TURN 3: which result?");
    is_sent_away(ann, "the server drains");
    hears(bob, "the server drains in the middle of a line", "", "YOUR TURN 3: bob may finish it");
    bob.says("ke\n", 3);
    bob.end_if_at_rest();
    hears(bob, "the line is whole", "egg\nclosing\n", "YOUR TURN 3: first the answer");
  }

  std::size_t piece_ = 100;
};

template <class Protocol>
int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return Judge<Protocol>().run();
}

}  // namespace check
