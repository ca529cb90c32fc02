// Writes where it is sent from: the session's pooled buffer, without a copy.
//
// Lifetime: in the session's frame. Rule: a span is valid until the next co_await, since a buffer
// is kept within one hook alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "06-server/lib/protocol/session/session_io.hpp"

namespace lab {

/// @code
///   lab::BufferWriter writer(session);
///   if (auto space = co_await writer.get_span(20)) writer.advance(print(number, space.bytes));
/// @endcode
class BufferWriter {
 public:
  /// Where to write.
  struct Space {
    std::span<std::byte>
        bytes;  ///< as many as were asked for, or more; none with another result than ok
    SessionResult result = SessionResult::ok;  ///< why there is none
    /// True when there is a space.
    explicit operator bool() const noexcept { return result == SessionResult::ok; }
  };
  class Wait;

  explicit BufferWriter(SessionIo& session) noexcept : session_(session) {}
  BufferWriter(const BufferWriter&) = delete;
  BufferWriter& operator=(const BufferWriter&) = delete;

  /// Space of at least so many bytes behind what is written. too_long: no buffer is so large.
  inline Wait get_span(std::size_t bytes) noexcept;
  /// So much of it is written. What is not sent yet leaves when the code waits.
  void advance(std::size_t count) noexcept { session_.output_.advance(count); }

 private:
  SessionIo& session_;
};

/// What get_span() gives to co_await.
class [[nodiscard]] BufferWriter::Wait final : public SessionWait {
 public:
  /// @param bytes at least so many
  Wait(SessionIo& session, std::size_t bytes) noexcept
      : SessionWait(session, &attempt), bytes_(bytes) {}
  Space await_resume() const noexcept { return {space_, result_}; }

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<Wait&>(wait);
    SessionIo& session = self.session_;
    if (!session.may_send(self.result_)) return true;
    switch (session.output_.make_space(*session.io_, self.bytes_)) {
      case SessionOutput::Space::none:
        return false;
      case SessionOutput::Space::never:
        self.result_ = SessionResult::too_long;
        return true;
      case SessionOutput::Space::there:
        self.space_ = session.output_.space();
        return true;
    }
    return false;
  }
  std::size_t bytes_;
  std::span<std::byte> space_;
};

inline BufferWriter::Wait BufferWriter::get_span(std::size_t bytes) noexcept {
  return {session_, bytes};
}

}  // namespace lab
