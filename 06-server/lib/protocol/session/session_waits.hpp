// The waits of SessionIo: each tries what it wants once when it is awaited, and again in each hook.
//
// Lifetime: in the coroutine's frame, within one co_await. session_io.hpp includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/session/session_io.hpp"

namespace lab {

/// Until something has come, or nothing can come any more. A drain may end the session here.
class [[nodiscard]] SessionIo::ReadWait final : public SessionWait {
 public:
  explicit ReadWait(SessionIo& session) noexcept : SessionWait(session, &attempt) { rests_ = true; }
  Received await_resume() noexcept {
    if (result_ != SessionResult::ok) got_ = {.segments = {}, .result = result_};
    return got_;
  }

 private:
  static bool attempt(SessionWait& self) noexcept {
    return self.session_.try_read(static_cast<ReadWait&>(self).got_);
  }
  Received got_;
};

/// Until the engine has the segment. It is not sent by then, but what is sent later comes after it.
class [[nodiscard]] SessionIo::SendWait final : public SessionWait {
 public:
  /// @param bytes kept in the frame while there is no room
  SendWait(SessionIo& session, Segment bytes) noexcept
      : SessionWait(session, &attempt), bytes_(std::move(bytes)) {}

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<SendWait&>(wait);
    SessionIo& session = self.session_;
    if (!session.may_send(self.result_) || self.bytes_.empty()) return true;
    session.output_.flush(*session.io_);
    const bool whole = self.bytes_.kind() == SegmentKind::received && !self.bytes_.is_piece();
    if (!whole && session.io_->room() == 0) return false;
    session.io_->send(std::move(self.bytes_));
    return true;
  }
  Segment bytes_;
};

/// Until the last byte is copied: what is written may be as large as one likes.
class [[nodiscard]] SessionIo::WriteWait final : public SessionWait {
 public:
  /// @param bytes not copied here: they live until the co_await is over
  WriteWait(SessionIo& session, std::span<const std::byte> bytes) noexcept
      : SessionWait(session, &attempt), bytes_(bytes) {}

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<WriteWait&>(wait);
    SessionIo& session = self.session_;
    if (!session.may_send(self.result_)) return true;
    while (!self.bytes_.empty()) {
      const std::size_t count = session.output_.copy(*session.io_, self.bytes_);
      if (count == 0) return false;
      self.bytes_ = self.bytes_.subspan(count);
    }
    return true;
  }
  std::span<const std::byte> bytes_;  ///< what was not copied yet
};

/// Until nothing waits to be sent and nothing is on its way.
class [[nodiscard]] SessionIo::FlushWait final : public SessionWait {
 public:
  explicit FlushWait(SessionIo& session) noexcept : SessionWait(session, &attempt) {}

 private:
  static bool attempt(SessionWait& self) noexcept {
    SessionIo& session = self.session_;
    session.output_.flush(*session.io_);
    return session.io_->all_sent();
  }
};

/// Until its tick, or a drain or the idle timeout, of which one sleep is told.
class [[nodiscard]] SessionIo::SleepWait final : public SessionWait {
 public:
  /// @param ticks from the first attempt on, in steps of protocol_tick_ms
  SleepWait(SessionIo& session, std::uint32_t ticks) noexcept
      : SessionWait(session, &attempt), ticks_(ticks) {}

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<SleepWait&>(wait);
    SessionIo& session = self.session_;
    if (!self.due_) self.due_ = session.now() + self.ticks_;
    if (session.is_over(*self.due_)) return true;
    const bool ends = session.draining_ || session.wound_up_;
    if (!ends || std::exchange(session.end_told_, true)) return false;
    self.result_ = session.draining_ ? SessionResult::drain : SessionResult::timeout;
    return true;
  }
  std::uint32_t ticks_;
};

inline SessionIo::ReadWait SessionIo::read() noexcept { return ReadWait(*this); }
inline SessionIo::SendWait SessionIo::send(Segment bytes) noexcept {
  return {*this, std::move(bytes)};
}
inline SessionIo::WriteWait SessionIo::write(std::span<const std::byte> bytes) noexcept {
  return {*this, bytes};
}
inline SessionIo::WriteWait SessionIo::write(std::string_view text) noexcept {
  return {*this, std::as_bytes(std::span(text))};
}
inline SessionIo::FlushWait SessionIo::flush() noexcept { return FlushWait(*this); }
inline SessionIo::SleepWait SessionIo::sleep(std::uint32_t milliseconds) noexcept {
  return {*this, ticks(milliseconds)};
}

}  // namespace lab
