// The end of a connection's slot: a close, or a reset.
//
// Lifetime: a base of its connection. Rule: nothing is armed on the slot when it is closed, and
// afterwards it may be somebody else's.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "02-files/lib/file_table.hpp"

namespace lab {

/// Connection derives from it and has: commons(), dialled().
template <class Connection>
class SlotCloser {
 public:
  /// @param slot nothing: see open_slot()
  explicit SlotCloser(std::optional<FileSlot> slot) noexcept
      : slot_(slot.value_or(FileSlot{})), closed_(!slot) {}
  /// It has a slot now.
  void open_slot(FileSlot slot) noexcept {
    slot_ = slot;
    closed_ = false;
  }

  FileSlot slot() const noexcept { return slot_; }  ///< its own until slot_closed()
  /// The slot may belong to somebody else already.
  bool slot_closed() const noexcept { return closed_; }

 protected:
  bool closes() const noexcept { return close_.armed(); }  ///< the close's CQE is due
  void want_reset() noexcept { reset_ = true; }            ///< in place of a FIN, by close()
  bool wants_reset() const noexcept { return reset_; }     ///< it was asked for

  /// Begins the close; slot_closed() becomes true by its CQE. REQUIRES: nothing is armed on the
  /// slot.
  ///
  /// A reset drops what the peer does not read, and brings the notifications at once. The two SQEs
  /// are one chain, hard-linked: the slot is closed even where the option fails. Source:
  /// io_uring_prep_cmd_sock(3), Linux 6.7. Where a closed slot keeps its file, the reset comes when
  /// the file goes; everybody else is told at once by a shutdown.
  void close() noexcept {
    Ring& ring = self().commons().ring();
    self().commons().leaves(slot_);
    if (reset_ && self().commons().can_reset()) {
      static linger reset{.l_onoff = 1, .l_linger = 0};
      ring.reserve(2);
      io_uring_sqe* sqe = ring.sqe();
      io_uring_prep_cmd_sock(sqe, SOCKET_URING_OP_SETSOCKOPT, index(slot_), SOL_SOCKET, SO_LINGER,
                             &reset, sizeof reset);
      sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
      ring.submit_unowned(sqe);
    } else {
      self().commons().prepare_close(slot_);
    }
    close_.start(ring, slot_);
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }

  void on_close(Cqe) noexcept {
    closed_ = true;
    self().commons().on_slot_closed(self().dialled());
    self().commons().mark_ready(self());
  }

  Bind<CloseSlot, &SlotCloser::on_close> close_{*this};
  FileSlot slot_;
  bool reset_ = false;  ///< the close shall be a reset
  bool closed_;
};

}  // namespace lab
