// Sends of one stream: plain from one lease, or gathered from several. One unfinished send at a
// time, or the stream could be reordered. With MSG_WAITALL the kernel goes on after a partial send;
// it can still come back short, and whoever waits handles that.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <span>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// res: bytes sent, maybe fewer than asked for, or -errno. A cancelled send reports what it had
/// sent. Source: io_uring_prep_send(3); MSG_WAITALL for send since Linux 5.19.
/// @code
///   Bind<Send, &Connection::on_send> send_{*this};
///   if (!send_.armed() && !outbox_.empty()) send_.start(ring, slot, outbox_.front().bytes());
///   // Connection::on_send(Cqe cqe): if (cqe.res > 0) outbox_.consume(cqe.res), then the next one
/// @endcode
class Send : public Completion {
 public:
  using Completion::Completion;

  /// When it ends. whole: with all bytes, or an error, or seldom short. what_fits: as soon as the
  /// socket has taken some; whoever has to know whether the peer moves, sees it by that.
  enum Ending : std::uint32_t {
    whole = MSG_WAITALL,  ///< the kernel goes on after a partial send (Linux 5.19)
    what_fits = 0         ///< one try, and what it took is the result
  };

  void start(Ring& ring, FileSlot slot, std::span<const std::byte> bytes,
             Ending ending = whole) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_send(sqe, index(slot), bytes.data(), bytes.size(),
                       static_cast<int>(ending) | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }

  /// Sends what `message` describes; it stays as it is until the CQE.
  /// @param flags MSG_MORE: the next send follows at once, so TCP need not fill a segment up
  void start(Ring& ring, FileSlot slot, const msghdr& message, Ending ending = whole,
             unsigned flags = 0) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_sendmsg(sqe, index(slot), &message,
                          static_cast<unsigned>(ending) | MSG_NOSIGNAL | flags);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

/// The description of a gathered send: up to pieces_max pieces of a queue in one system call's
/// worth. It lives from the send's start until its CQE, apart from the connection, for few need one
/// at a time.
class GatherList {
 public:
  static constexpr unsigned pieces_max = 32;  ///< the kernel would take 1024; so many fill a socket

  /// Describes the front of the queue.
  /// @param limits what else the queue's gather() takes
  /// @return its bytes
  template <class Queue, class... Limits>
  std::uint32_t fill(const Queue& queue, Limits... limits) noexcept {
    std::uint32_t bytes = 0;
    message_ = {};
    message_.msg_iovlen = queue.gather(entries_, bytes, limits...);
    message_.msg_iov = entries_.data();
    return bytes;
  }

  /// For Send::start(). Valid until the next fill(), and not moved while a send is in flight.
  const msghdr& message() const noexcept { return message_; }

 private:
  msghdr message_{};
  std::array<iovec, pieces_max> entries_{};
};

}  // namespace lab
