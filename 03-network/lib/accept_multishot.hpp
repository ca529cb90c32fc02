// Takes connections from a listener into the ring's file table: the CQE's res is a FileSlot.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// Where a connection comes from: IPv4 or IPv6, as the family says. Lifetime: the kernel writes it
/// with the accept's result, so it stays where it is until then.
struct AcceptedPeer {
  sockaddr_in6 address{};  ///< an IPv4 one has the family AF_INET, and is a sockaddr_in
  socklen_t size = sizeof(sockaddr_in6);  ///< in bytes: what there is, then what was written
};

/// Source: io_uring_prep_multishot_accept_direct(3), Linux 5.19.
///
/// Any error ends it. A full table is worse than that: the kernel has taken the connection from the
/// backlog already and closes it before it reports -ENFILE. So a multishot accept is armed only
/// while there is room for a whole completion queue, for it goes on while clients come, and ends at
/// the latest when that queue is full.
/// @code
///   Bind<AcceptMultishot, &Worker::on_accept> accept_{*this};
///   accept_.start(ring_, listener_.fd());
///   // Worker::on_accept(Cqe cqe): cqe.res is the slot; without cqe.more() it has ended
/// @endcode
class AcceptMultishot : public Completion {
 public:
  using Completion::Completion;

  /// A CQE per connection until cancelled.
  void start(Ring& ring, int listener) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_multishot_accept_direct(sqe, listener, nullptr, nullptr, 0);
    ring.arm(sqe, *this);
  }

  /// One connection. REQUIRES: a slot that is free for it.
  void start_once(Ring& ring, int listener) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_accept_direct(sqe, listener, nullptr, nullptr, 0, IORING_FILE_INDEX_ALLOC);
    ring.arm(sqe, *this);
  }

  /// One connection, and where it comes from. A multishot accept has one place for all addresses,
  /// which the next client overwrites before anybody has read it: io_uring_prep_accept(3).
  /// REQUIRES: a slot that is free for it, and nothing else armed on `peer`.
  void start_once(Ring& ring, int listener, AcceptedPeer& peer) noexcept {
    peer.size = sizeof peer.address;
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_accept_direct(sqe, listener, reinterpret_cast<sockaddr*>(&peer.address),
                                &peer.size, 0, IORING_FILE_INDEX_ALLOC);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
