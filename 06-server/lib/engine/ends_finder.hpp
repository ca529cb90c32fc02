// Where a connection comes from, and what its peer has dialled. A slot has no getpeername(2), so it
// gets an ordinary descriptor for a moment.
//
// Lifetime: a base of its connection, which is not freed while finds_ends().
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "06-server/lib/protocol/dialling.hpp"

namespace lab {

/// An ordinary descriptor for a slot, for those calls that know no slots. res: the descriptor, or
/// -errno. Source: io_uring_prep_fixed_fd_install(3), Linux 6.8.
class InstallFd : public Completion {
 public:
  using Completion::Completion;

  /// The descriptor is the caller's to close.
  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_fixed_fd_install(sqe, index(slot), 0);
    ring.arm(sqe, *this);
  }
};

/// Connection derives from it and has: commons(), slot().
template <class Connection>
class EndsFinder {
 public:
  /// Asks where it comes from; ends() has it when finds_ends() is false again.
  void find_ends() noexcept {
    if (!install_.armed()) install_.start(self().commons().ring(), self().slot());
  }
  /// The answer is not there yet.
  bool finds_ends() const noexcept { return install_.armed(); }
  /// @return false: not asked, or the kernel cannot say
  bool ends(ConnectionEnds& ends) const noexcept {
    if (ends_.peer.family() == AF_UNSPEC) return false;
    ends = ends_;
    return true;
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }

  void on_install(Cqe cqe) noexcept {
    self().commons().mark_ready(self());
    if (cqe.res < 0) return;
    ConnectionEnds ends;
    socklen_t peer_size = sizeof ends.peer.place;
    socklen_t own_size = sizeof ends.own.place;
    if (getpeername(cqe.res, ends.peer.any(), &peer_size) == 0 &&
        getsockname(cqe.res, ends.own.any(), &own_size) == 0) {
      ends_ = ends;
    }
    close(cqe.res);
  }

  ConnectionEnds ends_;
  Bind<InstallFd, &EndsFinder::on_install> install_{*this};
};

}  // namespace lab
