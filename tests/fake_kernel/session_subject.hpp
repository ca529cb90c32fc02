#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "04-advanced/lib/await.hpp"
#include "06-server/lib/protocol/session/buffer_writer.hpp"
#include "06-server/lib/protocol/session/pipe_reader.hpp"
#include "06-server/lib/protocol/session/session.hpp"
#include "tests/fake_kernel/session_words.hpp"

namespace lab::fake {

/// A session that uses all that sessions have, and an operation of its own on the worker's ring.
struct SessionWorld {
  Ring* ring = nullptr;
};

inline Task talk(FramePool&, SessionIo& session, SessionWorld& world) {
  std::array<std::byte, session_line_max + 1> memory;
  PipeReader reader(session, memory);
  BufferWriter writer(session);
  std::array<char, 24> number;
  co_await session.write(session_greeting);
  for (unsigned count = 1;; ++count) {
    const PipeReader::Piece line = co_await reader.read_until('\n', session_line_max);
    const auto size = static_cast<std::size_t>(
        std::to_chars(number.begin(), number.end(), count).ptr - number.begin());
    const std::string_view prefix(number.data(), size);
    if (line.result == SessionResult::too_long) {
      co_await session.write(prefix);
      co_await session.write(": too long\n");
      co_return 0;
    }
    if (!line) co_return 0;
    const std::string_view word = line.text();
    if (word == "think") {
      // A drain cuts a sleep short; it thinks to the end all the same.
      if (co_await session.sleep(think_ms) == SessionResult::drain) {
        co_await session.sleep(think_ms);
      }
    } else if (word == "ring") {
      co_await Await<Timer>(*world.ring, std::uint64_t{think_ms} * 1'000'000U);
    } else if (word == "flush") {
      co_await session.flush();
    } else if (word == "constant") {
      co_await session.send(Segment::stable(std::as_bytes(std::span(session_constant))));
    } else if (word == "fill") {
      for (unsigned piece = 0; piece < fill_pieces; ++piece) {
        const BufferWriter::Space space = co_await writer.get_span(fill_bytes);
        if (!space) co_return 0;
        std::memset(space.bytes.data(), 'f', fill_bytes);
        writer.advance(fill_bytes);
      }
    }
    co_await session.write(prefix);
    co_await session.write(": ");
    co_await session.write(word);
    if (co_await session.write("\n") != SessionResult::ok || word == "bye") co_return 0;
  }
}

using Tested = Session<talk>;

struct Subjected {
  Tested::Shared shared{SessionOptions{.frames_max = 512}};
  void attach(Ring& ring) noexcept { shared.state.ring = &ring; }
};

}  // namespace lab::fake
