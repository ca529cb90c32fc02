// How a connection comes to be by dialling: a socket straight into the ring's table, its options,
// and the connect; or how it ends before that.
//
// Lifetime: a base of its connection, which is not freed while one of these is armed
// (dial_joined()).
#pragma once

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "01-core/lib/cancel.hpp"
#include "02-files/lib/file_table.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/protocol/dialling.hpp"

namespace lab {

/// A TCP socket in a slot that the kernel picks. res: the slot, or -errno.
/// Source: io_uring_prep_socket_direct_alloc(3), Linux 5.19.
class DialSocket : public Completion {
 public:
  using Completion::Completion;

  /// @param family AF_INET or AF_INET6
  void start(Ring& ring, int family) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_socket_direct_alloc(sqe, family, SOCK_STREAM, 0, 0);
    ring.arm(sqe, *this);
  }
};

/// The address lives until the CQE. res: 0, or -errno.
/// Source: io_uring_prep_connect(3), Linux 5.5.
class ConnectSlot : public Completion {
 public:
  using Completion::Completion;

  /// @param address it is there until the CQE
  void start(Ring& ring, FileSlot slot, const SocketAddress& address) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_connect(sqe, index(slot), address.any(), address.size());
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

/// Connection derives from it and has: commons(), slot(), open_slot(slot), aborting(),
/// dial_succeeded(), dial_failed(error).
/// @tparam On false: its protocol does not dial, and it costs nothing
template <class Connection, bool On>
class Dialler {
 protected:
  /// @param address it is there until the result
  void begin_dialling(const SocketAddress& address) noexcept {
    address_ = &address;
    socket_.start(self().commons().ring(), address.family());
  }
  /// Cancels the connect; dial_joined() says when it is over.
  void stop_dialling() noexcept { cancel_.pursue(self().commons().ring(), connect_); }
  /// Nothing of it is in flight.
  bool dial_joined() const noexcept {
    return !socket_.armed() && !connect_.armed() && !cancel_.armed();
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }

  void on_socket(Cqe cqe) noexcept {
    self().commons().mark_ready(self());
    if (cqe.res >= 0) {
      self().open_slot(static_cast<FileSlot>(cqe.res));
    } else {
      self().commons().slots().give_up(true);
    }
    if (self().aborting()) return;
    if (cqe.res < 0) return self().dial_failed(-cqe.res);
    Ring& ring = self().commons().ring();
    ring.reserve(options_max + 1);
    if (self().commons().can_reset()) set_options(ring);
    connect_.start(ring, self().slot(), *address_);
  }

  // What a connection that was accepted inherits of the listener, see Listener. Each is done before
  // the next begins and before the connect: a receive buffer is too late afterwards. Source:
  // io_uring_prep_cmd_sock(3), Linux 6.7; before, the kernel's defaults stay.
  void set_options(Ring& ring) noexcept {
    static const int one = 1;
    const DialOptions& wanted = self().commons().options().dial;
    set(ring, IPPROTO_TCP, TCP_NODELAY, one);
    set(ring, SOL_SOCKET, SO_RCVBUF, wanted.receive_buffer);
    set(ring, SOL_SOCKET, SO_SNDBUF, wanted.send_buffer);
    set(ring, IPPROTO_TCP, TCP_NOTSENT_LOWAT, wanted.unsent_max);
    set(ring, IPPROTO_TCP, TCP_USER_TIMEOUT, wanted.user_timeout_ms);
    const std::string& congestion = wanted.congestion;
    if (!congestion.empty()) {
      set(ring, IPPROTO_TCP, TCP_CONGESTION, congestion.data(), congestion.size());
    }
  }
  void set(Ring& ring, int level, int name, const int& value) noexcept {
    if (value != 0) set(ring, level, name, &value, sizeof value);
  }
  // The value stays where it is until the kernel has read it.
  void set(Ring& ring, int level, int name, const void* value, std::size_t size) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_cmd_sock(sqe, SOCKET_URING_OP_SETSOCKOPT, index(self().slot()), level, name,
                           const_cast<void*>(value), static_cast<int>(size));
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
    ring.submit_unowned(sqe);
  }

  void on_connect(Cqe cqe) noexcept {
    self().commons().mark_ready(self());
    if (self().aborting()) return;
    if (cqe.res == 0) return self().dial_succeeded();
    self().dial_failed(-cqe.res);
  }
  void on_cancel(Cqe cqe) noexcept {
    cancel_.note(cqe);
    self().commons().mark_ready(self());
  }

  static constexpr unsigned options_max = 6;

  const SocketAddress* address_ = nullptr;
  Bind<DialSocket, &Dialler::on_socket> socket_{*this};
  Bind<ConnectSlot, &Dialler::on_connect> connect_{*this};
  Bind<CancelUntilFound, &Dialler::on_cancel> cancel_{*this};
};

template <class Connection>
class Dialler<Connection, false> {
 protected:
  void stop_dialling() noexcept {}
  bool dial_joined() const noexcept { return true; }
};

}  // namespace lab
