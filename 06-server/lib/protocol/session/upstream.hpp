// A second connection, which a session's code has dialled: it begins there as it likes, and then
// the two are one stream in each direction.
//
// Lifetime: in the session's frame. Rule: one at a time; it ends with the session. What the other
// side sends is never read by the code: it goes to the client as it is, from relay() on and before.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/dialling.hpp"
#include "06-server/lib/protocol/session/session_io.hpp"
#include "06-server/lib/protocol/session/session_waits.hpp"

namespace lab {

/// For the code of a DiallingSession.
/// @code
///   lab::Task forward(lab::FramePool&, lab::SessionIo& session, Place& place) {
///     lab::Upstream upstream(session);
///     const auto result = co_await upstream.connect(place.address, 1000);
///     if (result == lab::SessionResult::ok) co_await upstream.relay();
///     co_return 0;
///   }
/// @endcode
class Upstream {
 public:
  class ConnectWait;
  class WriteWait;
  class EndsWait;
  class RelayWait;

  explicit Upstream(SessionIo& session) noexcept : session_(session) {}
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  /// ok, refused, timeout, drain or lost. After refused and timeout it may be tried elsewhere.
  /// drain: the session has to end, by its idle timeout or with the server, and nobody is to blame.
  /// @param address it is there until the result
  /// @param milliseconds at most a month
  inline ConnectWait connect(const SocketAddress& address, std::uint32_t milliseconds) noexcept;
  /// errno of the latest connect() that was refused. EMFILE: there was no slot for it here.
  int error() const noexcept { return error_; }
  /// The engine's time, in steps of protocol_tick_ms. It wraps.
  std::uint32_t tick() const noexcept { return session_.now(); }
  /// Before relay(): the first thing that the other side reads, such as who the client is. A drain
  /// waits for no answer to it. REQUIRES: it is connected.
  /// @param text at most a pooled buffer long
  inline WriteWait write(std::string_view text) noexcept;
  /// Where the client comes from, and what it has dialled itself: ok, or refused where the kernel
  /// cannot say (before Linux 6.8) or the client has gone.
  inline EndsWait ends(ConnectionEnds& ends) noexcept;
  /// From now on all that the client sends goes to the other side, nothing is copied, and each end
  /// of the stream is passed on by itself. It lasts until both have ended: end. lost: one of the
  /// connections was, and so both are. refused: it was lost before.
  inline RelayWait relay() noexcept;

 private:
  // For the waits, which are no friends of the session themselves.
  static HookIo& io(SessionIo& session) noexcept { return *session.io_; }
  static std::uint32_t due_in(SessionIo& session, std::uint32_t ticks) noexcept {
    return session.now() + ticks;
  }
  static bool is_over(SessionIo& session, std::uint32_t tick) noexcept {
    return session.is_over(tick);
  }
  static bool ends_now(const SessionIo& session) noexcept {
    return session.wound_up_ || session.finish_.has_value();
  }
  static std::uint32_t ticks(std::uint32_t milliseconds) noexcept {
    return SessionIo::ticks(milliseconds);
  }
  // What has come so far goes first.
  static void begin_relay(SessionIo& session) noexcept {
    HookIo& io = *session.io_;
    io.relay();
    for (Segment& bytes : session.input_.take()) {
      if (!bytes.empty()) io.pass(std::move(bytes));
    }
    session.input_.give_up();
    if (std::exchange(session.refused_, false)) io.receive(Receive::on);
    if (session.peer_ended_) io.pass_end();
  }

  SessionIo& session_;
  int error_ = 0;
};

/// What connect() gives to co_await.
class [[nodiscard]] Upstream::ConnectWait final : public SessionWait {
 public:
  /// As connect() makes it; `ticks` of protocol_tick_ms.
  ConnectWait(Upstream& upstream, const SocketAddress& address, std::uint32_t ticks) noexcept
      : SessionWait(upstream.session_, &attempt),
        upstream_(upstream),
        address_(address),
        ticks_(ticks) {}

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<ConnectWait&>(wait);
    HookIo& io = Upstream::io(self.session_);
    LAB_ASSERT(io.can_dial());
    if (!self.due_) {
      self.due_ = Upstream::due_in(self.session_, self.ticks_);
      io.hang_up();  // a deadline() may have ended the wait for an earlier one
      io.dial(self.address_);
    }
    switch (io.dial_state()) {
      case DialState::connected:
        return true;
      case DialState::failed:
      case DialState::none:
        self.upstream_.error_ = io.dial_error();
        self.result_ = SessionResult::refused;
        return true;
      case DialState::dialling:
        break;
    }
    const bool ends = Upstream::ends_now(self.session_);
    if (!ends && !Upstream::is_over(self.session_, *self.due_)) return false;
    io.hang_up();
    self.result_ = ends ? SessionResult::drain : SessionResult::timeout;
    return true;
  }

  Upstream& upstream_;
  const SocketAddress& address_;
  std::uint32_t ticks_;
};

/// What write() gives to co_await.
class [[nodiscard]] Upstream::WriteWait final : public SessionWait {
 public:
  /// As write() makes it.
  WriteWait(SessionIo& session, std::string_view text) noexcept
      : SessionWait(session, &attempt), text_(text) {}

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<WriteWait&>(wait);
    HookIo& io = Upstream::io(self.session_);
    if (io.dial_state() != DialState::connected) {
      self.result_ = SessionResult::refused;
      return true;
    }
    PooledBuffer buffer = io.take_buffer();
    if (!buffer) return false;
    if (buffer.space().size() < self.text_.size()) {
      self.result_ = SessionResult::too_long;
      return true;
    }
    std::memcpy(buffer.space().data(), self.text_.data(), self.text_.size());
    io.pass(std::move(buffer).filled(static_cast<std::uint32_t>(self.text_.size())));
    return true;
  }
  std::string_view text_;
};

/// What ends() gives to co_await.
class [[nodiscard]] Upstream::EndsWait final : public SessionWait {
 public:
  /// As ends() makes it.
  EndsWait(SessionIo& session, ConnectionEnds& ends) noexcept
      : SessionWait(session, &attempt), ends_(ends) {}

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<EndsWait&>(wait);
    HookIo& io = Upstream::io(self.session_);
    if (!std::exchange(self.asked_, true)) io.find_ends();
    if (io.finds_ends()) return false;
    if (!io.ends(self.ends_)) self.result_ = SessionResult::refused;
    return true;
  }
  ConnectionEnds& ends_;
  bool asked_ = false;
};

/// What relay() gives to co_await.
class [[nodiscard]] Upstream::RelayWait final : public SessionWait {
 public:
  explicit RelayWait(SessionIo& session) noexcept : SessionWait(session, &attempt) {
    rests_ = true;  // the engine knows whether anything is on its way
  }

 private:
  static bool attempt(SessionWait& wait) noexcept {
    auto& self = static_cast<RelayWait&>(wait);
    HookIo& io = Upstream::io(self.session_);
    if (!std::exchange(self.begun_, true)) {
      if (io.dial_state() != DialState::connected) {
        self.result_ = SessionResult::refused;
        return true;
      }
      Upstream::begin_relay(self.session_);
    }
    if (io.relays()) return false;
    const bool lost = io.dial_state() == DialState::failed;
    self.result_ = lost ? SessionResult::lost : SessionResult::end;
    self.session_.finish(Finish::close);  // so does the other connection, at this moment
    return true;
  }
  bool begun_ = false;
};

inline Upstream::ConnectWait Upstream::connect(const SocketAddress& address,
                                               std::uint32_t milliseconds) noexcept {
  return {*this, address, ticks(milliseconds)};
}
inline Upstream::WriteWait Upstream::write(std::string_view text) noexcept {
  return {session_, text};
}
inline Upstream::EndsWait Upstream::ends(ConnectionEnds& ends) noexcept { return {session_, ends}; }
inline Upstream::RelayWait Upstream::relay() noexcept { return RelayWait(session_); }

}  // namespace lab
