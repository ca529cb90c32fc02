// Since when a connection has had buffers that others may wait for: pooled ones, or received bytes
// that its protocol has not looked at.
//
// Lifetime: a base of its connection.
#pragma once

#include <cstdint>
#include <optional>

#include "06-server/lib/engine/buffer_line.hpp"

namespace lab {

/// Connection derives from it and has: commons(), aborting(), slot_closed(), keeps_received(),
/// holds_pooled_buffers(), keeps_pooled_buffers().
/// @tparam On false: its protocol keeps none, and it costs nothing
template <class Connection, bool On>
class BufferHolder : public BufferLinePlace<Connection> {
 public:
  /// Since when it has held the same buffer, whatever its peer takes, in ticks. Who only waits for
  /// a pooled buffer to answer with is not in the way.
  std::optional<std::uint32_t> holds_since() const noexcept {
    const bool unread = self().keeps_received() && !self().commons().waits_for_pooled(self());
    if (!holds_pooled() && !unread) return {};
    if (self().aborting() || self().slot_closed()) return {};
    return held_since_;
  }

  /// A buffer that it held has left it.
  void on_buffer_home() noexcept { held_since_ = self().commons().tick(); }

 protected:
  /// One more comes.
  void note_holding() noexcept {
    if (!holds_pooled() && !self().keeps_received()) on_buffer_home();
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }

  // On their way to the peer, or kept by its protocol.
  bool holds_pooled() const noexcept {
    return self().holds_pooled_buffers() || self().keeps_pooled_buffers();
  }

  std::uint32_t held_since_ = 0;
};

template <class Connection>
class BufferHolder<Connection, false> {
 public:
  void on_buffer_home() noexcept {}

 protected:
  void note_holding() noexcept {}
};

}  // namespace lab
