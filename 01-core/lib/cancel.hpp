// Asks the kernel to end an operation. Two CQEs follow: the target's last one, which may still
// carry data, and the cancel's own, in either order. The target is armed again only after both.
//   if (recv_.armed() && !cancel_.armed()) cancel_.start(ring, recv_);
//   ... later, in on_recv() and on_cancel(): if (!recv_.armed() && !cancel_.armed()) free_all();
#pragma once

#include "01-core/lib/ring.hpp"

namespace lab {

/// res: 0 cancelled, -ENOENT it had ended already, -EALREADY it runs and will end by itself.
/// Source: io_uring_prep_cancel(3). A look-up in at most 256 chains: about 1 microsecond with 1000
/// polls in flight; timers are walked one by one.
class Cancel : public Completion {
 public:
  using Completion::Completion;

  /// REQUIRES: target armed. Otherwise the cancel could hit whatever uses the address next.
  void start(Ring& ring, const Completion& target) noexcept {
    LAB_ASSERT(target.armed());
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&target), 0);
    ring.arm(sqe, *this);
  }

  /// Ends everything that is in flight on the ring: for shutting down only, as it walks every
  /// request. res: the number of operations found (Linux 5.19).
  void start_all(Ring& ring) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    ring.arm(sqe, *this);
  }
};

/// A cancel that is repeated until it has found its target: a multishot that is just about to go on
/// is not found, and goes on. One that was found ends, but perhaps some turns later: an enter makes
/// 20 of these completions.
/// @code
///   cancel_.pursue(ring, recv_);                     // when it shall end, and again in both
///   handlers if (cancel_.joined(recv_)) recv_.start(...);     // both CQEs have come
///   // on_cancel(Cqe cqe): cancel_.note(cqe)
/// @endcode
class CancelUntilFound : public Cancel {
 public:
  using Cancel::Cancel;

  /// Starts the cancel when the target is armed and the last try has not found it. Call it when the
  /// target should end, and again in both handlers.
  void pursue(Ring& ring, const Completion& target) noexcept {
    if (target.armed() && !armed() && !found_) start(ring, target);
  }

  /// What the cancel's CQE says: res 0 is found. Call it first in its handler.
  void note(Cqe cqe) noexcept { found_ = cqe.res == 0; }

  /// True when neither is armed any more; then it is as new.
  bool joined(const Completion& target) noexcept {
    if (target.armed() || armed()) return false;
    found_ = false;
    return true;
  }

 private:
  bool found_ = false;
};

}  // namespace lab
