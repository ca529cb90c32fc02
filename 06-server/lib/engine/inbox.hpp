// What a connection has received and its protocol has not looked at.
//
// Lifetime: a base of its connection. Rule: on_bytes() comes in order and only while bytes are
// wanted, the end after all of them, and nothing after finish().
#pragma once

#include <cstdint>
#include <utility>

#include "06-server/lib/engine/segment_queue.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Connection derives from it and has: commons(), wants_bytes(), want_bytes(), on_buffer_home().
/// @tparam On false: its protocol never makes its bytes wait, and it costs nothing
template <class Connection, bool On>
class Inbox {
 public:
  explicit Inbox(SegmentNodes& nodes) noexcept : inbox_(nodes) {}

  /// Bytes wait, wanted or not.
  bool anything_unread() const noexcept { return !inbox_.empty(); }
  /// Receive buffers that are not home because of it.
  std::uint32_t unread_buffers() const noexcept { return inbox_.received(); }
  /// Its protocol will look at it: it wants bytes, or waits for a buffer to answer with.
  bool unread_is_due() const noexcept {
    return !inbox_.empty() && (self().wants_bytes() || self().commons().waits_for_pooled(self()));
  }

  // --- of the Io ---

  /// What is kept comes with the next hand_on(), not within this call.
  void receive(Receive what) noexcept { self().want_bytes(what == Receive::on); }
  /// See Io. Within on_bytes() alone, with the rest of what it was given.
  void unread(Segment bytes) noexcept {
    self().want_bytes(false);
    if (!bytes.empty()) inbox_.push_front(std::move(bytes));
  }

 protected:
  /// What has come, in order, then the end.
  void hand_on(auto& protocol) noexcept {
    while (takes_bytes()) {
      self().on_buffer_home();
      protocol.on_bytes(self(), inbox_.pop());
    }
    if (takes_end()) protocol.on_end(self());
  }
  /// The peer's FIN comes with the next hand_on(). @return false: nothing waits here, ever
  bool keep_end() noexcept {
    end_due_ = true;
    return true;
  }
  /// No on_bytes() and no on_end() follow; what waits goes home.
  void close_inbox() noexcept {
    closed_ = true;
    inbox_.clear();
  }

  SegmentQueue inbox_;  ///< oldest first; who receives adds to it

 private:
  bool takes_bytes() noexcept {
    if (closed_) inbox_.clear();
    return !inbox_.empty() && self().wants_bytes();
  }
  /// True once: the peer's FIN is the next thing to tell.
  bool takes_end() noexcept {
    if (!end_due_ || closed_ || !inbox_.empty()) return false;
    end_due_ = false;
    return true;
  }

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }

  bool end_due_ = false;
  bool closed_ = false;  ///< nothing is wanted any more
};

template <class Connection>
class Inbox<Connection, false> {
 public:
  explicit Inbox(SegmentNodes&) noexcept {}
  bool anything_unread() const noexcept { return false; }
  bool unread_is_due() const noexcept { return false; }
  std::uint32_t unread_buffers() const noexcept { return 0; }

 protected:
  void hand_on(auto&) noexcept {}
  bool keep_end() noexcept { return false; }
  void close_inbox() noexcept {}
};

}  // namespace lab
