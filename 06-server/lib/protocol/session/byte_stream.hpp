// A connection as a stream of bytes, read into memory of one's own: a copy more, and nothing to
// think about.
//
// Lifetime: in the session's frame.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "06-server/lib/protocol/session/session_io.hpp"

namespace lab {

/// Reads into the caller's memory. One wait at a time.
class ByteStream {
 public:
  /// How many bytes came; none exactly when the result is not ok.
  struct Count {
    std::size_t count = 0;                     ///< bytes, at least one with ok
    SessionResult result = SessionResult::ok;  ///< why there are none
    /// True when bytes came.
    explicit operator bool() const noexcept { return result == SessionResult::ok; }
  };
  class Wait;

  explicit ByteStream(SessionIo& session) noexcept : session_(session) {}
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  /// At least one byte, at most as many as there is space, as read(2) does.
  /// @param space not empty; it lives until the wait is over
  inline Wait read(std::span<std::byte> space) noexcept;
  /// All of them. @param bytes they live until the wait is over
  SessionIo::WriteWait write(std::span<const std::byte> bytes) noexcept {
    return session_.write(bytes);
  }

 private:
  friend class Wait;

  std::size_t copy(std::span<std::byte> space) noexcept {
    std::size_t copied = 0;
    while (!segments_.empty() && copied < space.size()) {
      Segment& front = segments_.front();
      const std::size_t count = std::min<std::size_t>(front.size(), space.size() - copied);
      std::memcpy(space.data() + copied, front.bytes().data(), count);
      copied += count;
      front.drop_front(static_cast<std::uint32_t>(count));
      if (!front.empty()) break;
      front.reset();  // its buffer goes home now
      segments_ = segments_.subspan(1);
    }
    return copied;
  }

  SessionIo& session_;
  std::span<Segment> segments_;  ///< of the latest read, what was not copied
};

/// A read() of the session, where nothing is left of the one before.
class [[nodiscard]] ByteStream::Wait {
 public:
  /// @param space what read() was given
  Wait(ByteStream& stream, std::span<std::byte> space) noexcept
      : stream_(stream), space_(space), read_(stream.session_.read()) {}

  bool await_ready() noexcept { return !stream_.segments_.empty() || read_.await_ready(); }
  void await_suspend(Task::Frame waiting) noexcept { read_.await_suspend(waiting); }
  Count await_resume() noexcept {
    if (stream_.segments_.empty()) {
      const Received got = read_.await_resume();
      if (!got) return {.count = 0, .result = got.result};
      stream_.segments_ = got.segments;
    }
    return {.count = stream_.copy(space_), .result = SessionResult::ok};
  }

 private:
  ByteStream& stream_;
  std::span<std::byte> space_;
  SessionIo::ReadWait read_;
};

inline ByteStream::Wait ByteStream::read(std::span<std::byte> space) noexcept {
  return {*this, space};
}

}  // namespace lab
