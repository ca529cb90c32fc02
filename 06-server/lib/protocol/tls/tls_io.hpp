// The Io of a protocol inside of TLS: to it bytes go in the clear, and the layer below gets
// records.
//
// Lifetime: on the stack, during a hook.
#pragma once

#include <cstdint>
#include <utility>

#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Outer: a Tls; Lower: the Io below it.
template <class Outer, class Lower>
class TlsIo {
 public:
  /// Both outlive the hook.
  TlsIo(Outer& outer, Lower& lower) noexcept : outer_(outer), lower_(lower) {}

  /// See Io. Encrypted at once, as far as there are buffers for records; the rest keeps its order.
  void send(Segment bytes) noexcept {
    has_piece_ = false;
    outer_.send_plain(lower_, std::move(bytes));
  }
  /// See Io. 0 while what was sent before is not with the layer below; see bring_piece().
  std::uint32_t room() const noexcept {
    return has_piece_ && outer_.blocked() ? 1 : outer_.room_above(lower_);
  }
  bool all_sent() const noexcept { return outer_.all_sent_above(lower_); }  ///< records, too
  PooledBuffer take_buffer() noexcept { return lower_.take_buffer(); }      ///< see Io
  /// See Io. Not while records wait for a buffer: a piece would take it from them.
  bool read_file(const FileRange& range) noexcept {
    return !outer_.blocked() && lower_.read_file(range);
  }
  /// Of what is in the clear; what the layer below receives follows from that.
  void receive(Receive what) noexcept { outer_.receive_plain(what); }
  /// Stays here, in the clear, and is told again before all else.
  void unread(Segment bytes) noexcept { outer_.unread_plain(std::move(bytes)); }
  /// close_notify goes out before the FIN.
  void finish(Finish how) noexcept { outer_.finish_plain(how); }
  void reset() noexcept { lower_.reset(); }                         ///< without a close_notify
  bool admit_request() noexcept { return lower_.admit_request(); }  ///< see Io
  void pace() noexcept { lower_.pace(); }                           ///< see Io
  std::uint32_t tick() const noexcept { return lower_.tick(); }     ///< see Io
  Waker waker() noexcept { return lower_.waker(); }                 ///< of the connection below
  ClientAddress peer() const noexcept { return lower_.peer(); }     ///< see Io

  /// A piece of a file is told next. Kept until there is room, its buffer would be what the records
  /// before it wait for: so there is room for it, once.
  void bring_piece() noexcept { has_piece_ = true; }

 private:
  Outer& outer_;
  Lower& lower_;
  bool has_piece_ = false;
};

}  // namespace lab
