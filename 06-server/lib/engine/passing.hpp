// One connection on its way from the acceptor's file table to a reactor's.
//
// Lifetime: from the accept until both CQEs have come, that of the message and that of the close.
// Rule: passing copies the reference, so our own slot is closed behind the message, by a link: as
// long as the message has not succeeded, the connection is ours.
#pragma once

#include <cstdint>

#include "02-files/lib/file_table.hpp"
#include "06-server/lib/engine/reactor_outlet.hpp"

namespace lab {

/// Owner: on_passed(passing) when both CQEs have come.
template <class Owner>
class Passing {
 public:
  /// @param place that the outlet has given for it
  /// @param slot of the acceptor's table
  Passing(Owner& owner, ReactorOutlet& outlet, HandoverPlace& place, FileSlot slot) noexcept
      : owner_(owner), outlet_(outlet), place_(place), slot_(slot) {}

  /// Again, where it has failed. The target's thread installs the file, so the message's CQE comes
  /// when that runs. Source: io_uring_prep_msg_ring_fd_alloc(3), Linux 6.0.
  void start(Ring& ring) noexcept {
    place_.full.store(true, std::memory_order_release);
    ring.reserve(2);
    pass_.start(ring, outlet_.handover().reactor_fd, slot_, place_.arrival);
    close_.start(ring, slot_);
  }
  /// Nobody gets it: it is closed. on_passed() follows.
  void give_up(Ring& ring) noexcept {
    given_up_ = true;
    outlet_.arrived();
    close_.start(ring, slot_);
  }

  /// False: the connection is still ours.
  bool done() const noexcept { return arrived_ || given_up_; }

  Passing* next = nullptr;  ///< in its owner's list of those that have failed

 private:
  class PassSlot : public Completion {
   public:
    using Completion::Completion;
    /// The next SQE is the slot's close.
    void start(Ring& ring, int ring_fd, FileSlot slot, std::uint64_t arrival) noexcept {
      io_uring_sqe* sqe = ring.sqe();
      io_uring_prep_msg_ring_fd_alloc(sqe, ring_fd, index(slot), arrival, 0);
      sqe->flags |= IOSQE_IO_LINK;
      ring.arm(sqe, *this);
    }
  };

  void on_pass(Cqe cqe) noexcept {
    arrived_ = cqe.res >= 0;
    if (arrived_) outlet_.arrived();
    end_if_both();
  }
  void on_close(Cqe) noexcept { end_if_both(); }
  void end_if_both() noexcept {
    if (!pass_.armed() && !close_.armed()) owner_.on_passed(*this);
  }

  Owner& owner_;
  ReactorOutlet& outlet_;
  HandoverPlace& place_;
  const FileSlot slot_;
  bool arrived_ = false;
  bool given_up_ = false;
  Bind<PassSlot, &Passing::on_pass> pass_{*this};
  Bind<CloseSlot, &Passing::on_close> close_{*this};
};

}  // namespace lab
