// What a protocol gets over TLS: decrypted bytes, record by record, and what it gives back again.
//
// Lifetime: its Tls's. Rule: called within a TlsBio::Hook.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"
#include "06-server/lib/protocol/tls/tls_session.hpp"
#include "06-server/lib/protocol/tls/tls_shared.hpp"

namespace lab {

/// @tparam GivesBack whether its protocol ever calls unread(): then a record stays in OpenSSL until
/// it is taken, so that what is given back holds no buffer; that costs a copy
template <bool GivesBack>
class TlsReceiver {
 public:
  explicit TlsReceiver(TlsShared& shared) noexcept : shared_(shared) {}
  ~TlsReceiver() { leave_line(); }
  TlsReceiver(const TlsReceiver&) = delete;
  TlsReceiver& operator=(const TlsReceiver&) = delete;

  /// True while the protocol takes bytes.
  bool wanted() const noexcept { return wanted_; }
  /// What the protocol says with Io::receive().
  void want(bool wanted) noexcept { wanted_ = wanted; }
  /// The peer's close_notify came.
  bool closed() const noexcept { return closed_; }
  /// OpenSSL could not decrypt, or the peer has sent an alert: it is over.
  bool failed() const noexcept { return failed_; }
  /// Nothing is here for the protocol until more comes.
  bool empty() const noexcept { return kept_.empty() && (drained_ || closed_); }

  /// The next bytes; none: see closed() and failed(), or more must come, or on_turn() follows when
  /// a buffer is home.
  Segment next(TlsSession& session, Waker waker) noexcept {
    if (!kept_.empty()) return std::move(kept_);
    if (closed_ || failed_ || (drained_ && !session.bio().has_input())) return {};
    PooledBuffer plain = shared_.plain.take(place_, waker);
    if (!plain) return {};
    const auto read = GivesBack ? session.peek(plain.space()) : session.read(plain.space());
    drained_ = read.step != TlsSession::Step::done;
    closed_ = read.step == TlsSession::Step::closed;
    failed_ = read.step == TlsSession::Step::failed;
    if (drained_) return {};
    looked_at_ = read.count;
    return std::move(plain).filled(read.count);
  }

  /// No more is asked for in this hook.
  void rest() noexcept { shared_.plain.pass_on(place_); }

  /// The protocol was told of them: what it has not given back is taken from OpenSSL.
  void taken(TlsSession& session) noexcept {
    const std::uint32_t count = std::exchange(looked_at_, 0);
    if (!GivesBack || count == 0) return;
    const auto read = session.read(std::span(shared_.scratch).first(count));
    LAB_ASSERT(read.step == TlsSession::Step::done);
    LAB_ASSERT(read.count == count);
  }

  /// These are the last of what was told, and come again when bytes are wanted.
  void unread(Segment bytes) noexcept {
    wanted_ = false;
    if (bytes.empty()) return;
    if (looked_at_ > 0) {  // they are in OpenSSL's record still
      LAB_ASSERT(bytes.size() <= looked_at_);
      looked_at_ -= bytes.size();
    } else {
      LAB_ASSERT(kept_.empty());
      kept_ = std::move(bytes);
    }
  }

  /// Nothing more is given, and no buffer is waited for.
  void clear() noexcept {
    leave_line();
    kept_.reset();
    looked_at_ = 0;
  }

 private:
  void leave_line() noexcept { shared_.plain.leave(place_); }

  TlsShared& shared_;
  TlsPlace place_;
  Segment kept_;                 ///< what was given back after the hook that brought it
  std::uint32_t looked_at_ = 0;  ///< bytes that the protocol is told of, and has not given back
  bool wanted_ = true;
  bool drained_ = true;  ///< OpenSSL has nothing but what comes
  bool closed_ = false;
  bool failed_ = false;
};

}  // namespace lab
