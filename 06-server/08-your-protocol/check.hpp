// Judges the exercise of 06-server/08-your-protocol on the engine in memory, and sees whether the
// protocol keeps the rules of the seam. Nobody edits this file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "01-core/lesson.hpp"
#include "06-server/08-your-protocol/memory_io.hpp"

namespace check {

/// Writes `from` in capital letters to `to`. REQUIRES: there is space for all of it.
inline void upper(std::span<const std::byte> from, std::span<std::byte> to) {
  const auto one = [](std::byte byte) {
    const char letter = static_cast<char>(byte);
    return letter >= 'a' && letter <= 'z' ? std::byte(letter - 'a' + 'A') : byte;
  };
  std::transform(from.begin(), from.end(), to.begin(), one);
}

/// A protocol around yours, which builds an Io of its own, as TLS does: it sees all that yours
/// asks.
template <class Yours>
class Watched : public lab::ProtocolDefaults {
 public:
  explicit Watched(Shared& shared) : yours_(shared) {}

  void on_open(auto& io) noexcept {
    told(io, [&](auto& seen) { yours_.on_open(seen); });
  }
  void on_bytes(auto& io, lab::Segment bytes) noexcept {
    has_room_ = !has_room_;  // at first there is none
    told(io, [&](auto& seen) { yours_.on_bytes(seen, std::move(bytes)); });
  }
  void on_file(auto& io, lab::Segment) noexcept { io.reset(); }
  void on_turn(auto& io) noexcept {
    told(io, [&](auto& seen) { yours_.on_turn(seen); });
  }

 private:
  template <class Outer>
  struct Io {
    Outer& outer;
    Watched& watched;

    void send(lab::Segment bytes) noexcept {
      if (bytes.kind() == lab::SegmentKind::stable) {
        lab::fail("the received bytes themselves were sent", "YOUR TURN 2: write into a buffer");
      }
      if (room() == 0) {
        lab::fail(
            "bytes were sent though there was no room: a client that does not read would "
            "fill the memory of the worker",
            "YOUR TURN 2: ask for room() before each send()");
      }
      watched.sent_ += bytes.size();
      outer.send(std::move(bytes));
    }
    std::uint32_t room() const noexcept { return watched.has_room_ ? outer.room() : 0; }
    bool all_sent() const noexcept { return outer.all_sent(); }
    lab::PooledBuffer take_buffer() noexcept { return outer.take_buffer(); }
    bool read_file(const lab::FileRange& range) noexcept { return outer.read_file(range); }
    void receive(lab::Receive what) noexcept { outer.receive(what); }
    void unread(lab::Segment bytes) noexcept { outer.unread(std::move(bytes)); }
    void finish(lab::Finish how) noexcept { outer.finish(how); }
    void reset() noexcept { outer.reset(); }
    bool admit_request() noexcept { return outer.admit_request(); }
    void pace() noexcept { outer.pace(); }
    std::uint32_t tick() const noexcept { return outer.tick(); }
    lab::Waker waker() noexcept { return outer.waker(); }
    lab::ClientAddress peer() const noexcept { return outer.peer(); }
  };

  void told(auto& io, auto&& hook) noexcept {
    Io<std::remove_reference_t<decltype(io)>> seen{io, *this};
    hook(seen);
    if (sent_ == io.heard.size() && !io.take_buffer()) {
      lab::fail("a hook has ended, nothing is to be sent, and the buffer is not home",
                "YOUR TURN 2: a buffer is sent, or it dies with the hook; others wait for one");
    }
  }

  Yours yours_;
  std::size_t sent_ = 0;  // bytes
  bool has_room_ = true;
};

template <class Yours>
void ask(const char* words, const std::string& question, std::size_t cut) {
  std::string wanted(question.size(), ' ');
  upper(std::as_bytes(std::span(question)), std::as_writable_bytes(std::span(wanted)));
  typename Watched<Yours>::Shared shared;
  memory::Io io({});
  Watched<Yours> protocol(shared);
  protocol.on_open(io);
  io.deliver(protocol, std::string_view(question).substr(0, cut));
  io.deliver(protocol, std::string_view(question).substr(cut));
  if (io.heard == wanted) return;
  const auto fail = [&](const std::string& what, const char* look) {
    lab::fail(std::string(words) + ", in two pieces of " + std::to_string(cut) + " and " +
                  std::to_string(question.size() - cut) + " bytes: " + what,
              look);
  };
  if (wanted.starts_with(io.heard)) {
    fail("only " + std::to_string(io.heard.size()) + " bytes were answered",
         io.heard.size() <= 512
             ? "YOUR TURN 2 and 3: a buffer holds 512. The rest goes back, and is "
               "asked for when on_turn() comes"
             : "YOUR TURN 3: on_turn() asks for what went back");
  }
  const auto place = std::mismatch(io.heard.begin(), io.heard.end(), wanted.begin(), wanted.end());
  fail("the answer is wrong from byte " + std::to_string(place.first - io.heard.begin()) + " on",
       "YOUR TURN 2: in capitals, each byte once, in order");
}

template <class Yours>
int judge(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  ask<Yours>("a word", "hello", 5);
  std::string longer;
  for (int line = 1; line <= 120; ++line) longer += "line " + std::to_string(line) + " of a poem\n";
  for (std::size_t cut = 0; cut <= longer.size(); cut += 100) ask<Yours>("a poem", longer, cut);
  if (!Yours::uses_buffers) {
    lab::fail("a real engine has no buffers for this protocol", "YOUR TURN 1: uses_buffers");
  }
  static_assert(lab::Protocol<Yours>);
  std::printf("a word and a poem of %zu bytes, in capitals, through one buffer of 512 bytes\n",
              longer.size());
  return lab::ok();
}

}  // namespace check
