// Messages out of a stream of bytes: what was not consumed comes again, together with what follows
// it.
//
// Lifetime: in the session's frame, with its memory. Rule: while it waits for more it keeps no
// receive buffer; the beginning of a message is copied into its own memory, which limits how long a
// message may be.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/session/session_io.hpp"

namespace lab {

/// @code
///   std::array<std::byte, 512> memory;
///   lab::PipeReader reader(session, memory);
///   while (auto line = co_await reader.read_until('\n', 200)) { ... line.text() ... }
/// @endcode
class PipeReader {
 public:
  /// Bytes in one piece, valid until the next wait of this reader.
  struct Piece {
    std::span<const std::byte> bytes;  ///< see read() and read_until() for other results than ok
    SessionResult result = SessionResult::ok;  ///< too_long beside those of a read
    /// True when it is what was asked for.
    explicit operator bool() const noexcept { return result == SessionResult::ok; }
    /// The same as text, valid as long.
    std::string_view text() const noexcept {
      return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
  };
  class Wait;

  /// @param memory for what comes in pieces: as long as the longest message, with its end
  PipeReader(SessionIo& session, std::span<std::byte> memory) noexcept
      : session_(session), memory_(memory) {}
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;

  /// More than what was examined. With end, what was left over is in the piece; too_long: nothing
  /// of it was consumed, and it fills the memory.
  inline Wait read() noexcept;
  /// Of the piece that read() gave, so much is done with, and so much was looked at: the next
  /// read() waits until there is more. REQUIRES: consumed <= examined <= its size.
  void advance(std::size_t consumed, std::size_t examined) noexcept {
    LAB_ASSERT(consumed <= examined);
    LAB_ASSERT(examined <= view().size());
    if (kept_ > 0) {
      std::memmove(memory_.data(), memory_.data() + consumed, kept_ - consumed);
      kept_ -= consumed;
    } else if (consumed > 0) {
      segments_.front().drop_front(static_cast<std::uint32_t>(consumed));
    }
    examined_ = examined - consumed;
  }
  void advance(std::size_t consumed) noexcept { advance(consumed, consumed); }

  /// The next bytes up to this one, which is taken too and not among them. They are consumed by the
  /// next wait. too_long: there are more than `max` before it.
  /// REQUIRES: max is smaller than the memory.
  inline Wait read_until(char delimiter, std::size_t max) noexcept;

 private:
  std::span<const std::byte> view() const noexcept {
    if (kept_ > 0) return memory_.first(kept_);
    return segments_.empty() ? std::span<const std::byte>() : segments_.front().bytes();
  }

  // What is looked at next is longer than what was: true, or with another result. False: more has
  // to come, and nothing is kept but what lies in the memory.
  bool try_more(SessionResult& result) noexcept {
    for (;;) {
      while (!segments_.empty() && segments_.front().empty()) {
        segments_.front().reset();
        segments_ = segments_.subspan(1);
      }
      if (view().size() > examined_) return true;
      if (segments_.empty()) {
        Received got;
        if (!session_.try_read(got)) return false;
        segments_ = got.segments;
        result = got.result;
        if (!got) return true;
      } else if (!append()) {
        result = SessionResult::too_long;
        return true;
      }
    }
  }

  // The front segment's bytes stand behind what is kept. When nothing is, it was examined as a
  // whole.
  bool append() noexcept {
    Segment& front = segments_.front();
    const std::size_t count = std::min<std::size_t>(memory_.size() - kept_, front.size());
    if (count == 0 || (kept_ == 0 && count < front.size())) return false;
    std::memcpy(memory_.data() + kept_, front.bytes().data(), count);
    kept_ += count;
    front.drop_front(static_cast<std::uint32_t>(count));
    return true;
  }

  void consume_line() noexcept {
    if (line_ > 0) advance(std::exchange(line_, 0));
  }

  SessionIo& session_;
  std::span<std::byte> memory_;
  std::span<Segment> segments_;  ///< of the latest read(), what is not consumed
  std::size_t kept_ = 0;         ///< bytes in the memory; they come before the segments
  std::size_t examined_ = 0;     ///< bytes of the view that were looked at in vain
  std::size_t line_ = 0;         ///< bytes of the line that was given, with its end
};

/// What read() and read_until() give to co_await.
class [[nodiscard]] PipeReader::Wait final : public SessionWait {
 public:
  explicit Wait(PipeReader& reader) noexcept
      : SessionWait(reader.session_, &more), reader_(reader) {}
  /// For read_until().
  Wait(PipeReader& reader, char delimiter, std::size_t max) noexcept
      : SessionWait(reader.session_, &until), reader_(reader), max_(max), delimiter_(delimiter) {
    LAB_ASSERT(max < reader.memory_.size());
  }
  Piece await_resume() noexcept {
    const bool all = result_ != SessionResult::ok || line_ == 0;
    return {all ? reader_.view() : reader_.view().first(line_ - 1), result_};
  }

 private:
  static bool more(SessionWait& wait) noexcept {
    auto& self = static_cast<Wait&>(wait);
    self.reader_.consume_line();
    return self.try_more();
  }
  static bool until(SessionWait& wait) noexcept {
    auto& self = static_cast<Wait&>(wait);
    PipeReader& reader = self.reader_;
    for (reader.consume_line(); self.try_more();) {
      if (self.result_ != SessionResult::ok) return true;
      const std::span<const std::byte> seen = reader.view();
      const std::size_t from = reader.examined_;
      const void* end = std::memchr(seen.data() + from, self.delimiter_, seen.size() - from);
      if (end != nullptr) {
        self.line_ = static_cast<std::size_t>(static_cast<const std::byte*>(end) - seen.data()) + 1;
      }
      if ((end != nullptr ? self.line_ - 1 : seen.size()) > self.max_) {
        self.line_ = 0;
        self.result_ = SessionResult::too_long;
        return true;
      }
      if (end != nullptr) {
        reader.line_ = self.line_;
        return true;
      }
      reader.examined_ = seen.size();
    }
    return false;
  }
  bool try_more() noexcept {
    const bool over = reader_.try_more(result_);
    rests_ = reader_.kept_ == 0;
    return over;
  }

  PipeReader& reader_;
  std::size_t max_ = 0;
  std::size_t line_ = 0;
  char delimiter_ = 0;
};

inline PipeReader::Wait PipeReader::read() noexcept { return Wait(*this); }
inline PipeReader::Wait PipeReader::read_until(char delimiter, std::size_t max) noexcept {
  return {*this, delimiter, max};
}

}  // namespace lab
