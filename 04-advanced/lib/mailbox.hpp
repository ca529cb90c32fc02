// Receives messages from other rings of the same process: a sender posts a CQE straight into our
// queue. 04-advanced/05-msg-ring shows the operation.
//   Mailbox inbox{&on_message};                                  // on the receiver's ring
//   Message message{&on_sent};                                   // on the sender's
//   message.start(ring, receiver_ring_fd, inbox, 42);            // on_message gets res 42
#pragma once

#include "01-core/lib/ring.hpp"

namespace lab {

/// A place that other rings post to. It is never armed, and a message never ends it.
/// Lifetime: it outlives every sender, which must have stopped before it goes.
/// Source: io_uring_prep_msg_ring(3), Linux 5.18.
class Mailbox : public Completion {
 public:
  explicit Mailbox(Handler handler) noexcept : Completion(handler, Standing::yes) {}

  /// The address that a message carries as its user_data.
  std::uint64_t address() const noexcept {
    return reinterpret_cast<std::uintptr_t>(static_cast<const Completion*>(this));
  }
};

/// Sends one value to a mailbox on another ring.
/// res: 0, -EBADFD when the target is no ring or not enabled. A full CQ refuses nothing: the
/// message goes to the target's overflow list, so who may send faster than the target reads needs a
/// bound of its own. -EOVERFLOW only when the kernel has no memory for that list.
class Message : public Completion {
 public:
  using Completion::Completion;

  /// @param ring_fd the target ring's fd
  void start(Ring& ring, int ring_fd, const Mailbox& mailbox, std::uint32_t value) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_msg_ring(sqe, ring_fd, value, mailbox.address(), 0);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
