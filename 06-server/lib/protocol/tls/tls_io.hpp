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
  TlsIo(Outer& outer, Lower& lower) noexcept : outer_(outer), lower_(lower) {}

  void send(Segment bytes) noexcept {
    has_piece_ = false;
    outer_.send_plain(lower_, std::move(bytes));
  }
  std::uint32_t room() const noexcept {
    return has_piece_ && outer_.blocked() ? 1 : outer_.room_above(lower_);
  }
  bool all_sent() const noexcept { return outer_.all_sent_above(lower_); }
  PooledBuffer take_buffer() noexcept { return lower_.take_buffer(); }
  bool read_file(const FileRange& range) noexcept {
    return !outer_.blocked() && lower_.read_file(range);
  }
  void receive(Receive what) noexcept { outer_.receive_plain(what); }
  void unread(Segment bytes) noexcept { outer_.unread_plain(std::move(bytes)); }
  /// close_notify goes out before the FIN.
  void finish(Finish how) noexcept { outer_.finish_plain(how); }
  void reset() noexcept { lower_.reset(); }
  bool admit_request() noexcept { return lower_.admit_request(); }
  void pace() noexcept { lower_.pace(); }
  std::uint32_t tick() const noexcept { return lower_.tick(); }
  Waker waker() noexcept { return lower_.waker(); }
  ClientAddress peer() const noexcept { return lower_.peer(); }

  /// A piece of a file is told next. Kept until there is room, its buffer would be what the records
  /// before it wait for: so there is room for it, once.
  void bring_piece() noexcept { has_piece_ = true; }

 private:
  Outer& outer_;
  Lower& lower_;
  bool has_piece_ = false;
};

}  // namespace lab
