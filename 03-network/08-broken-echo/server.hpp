// The frame of lessons 08 to 10: one ring, buffers for all connections, and a Connection for each
// client. What a connection does with its bytes is the lesson's.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <list>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/loopback.hpp"

struct BufferOptions {
  unsigned count = 8;
  unsigned size = 16 * 1024;
};

/// Connection is made with (Server&, FileSlot), and closed() says that it can go.
template <class Connection>
class Server {
 public:
  /// @param clients_max it stops listening after so many; 0: never
  Server(int listener, unsigned clients_max, BufferOptions options = {})
      : memory_(std::size_t{options.count} * options.size),
        buffers(ring, {.count = options.count, .size = options.size}, memory_),
        listener_(listener),
        clients_max_(clients_max) {
    accept_.start(ring, listener_);
  }

  /// One turn: one system call, then the handlers. False when all clients have come and gone.
  bool run_once(unsigned wait_for = 1) noexcept {
    if (ring.armed_count() == 0) return false;
    ring.run_once(wait_for);
    connections_.remove_if([](const Connection& one) { return one.closed(); });
    return true;
  }

  /// The end of a connection, when nothing is in flight on its slot. `closing` completes once.
  void hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept {
    // Before Linux 6.13 a closed slot's file stays as long as an older request of any other slot,
    // such as the neighbour's receive. The client would wait that long for its FIN.
    ring.reserve(2);
    shutdown_.link_before_close(ring, slot);
    closing.start(ring, slot);
  }

  lab::Ring ring{{.sq_entries = 256, .cq_entries = 1024}};

 private:
  lab::FileTable table_{ring, 1024};
  std::vector<std::byte> memory_;

 public:
  lab::BufferRing buffers;
  /// Set when a client's bytes have come as far as they can: the demonstration waits for it.
  std::atomic<bool> pressed = false;

 private:
  void on_accept(lab::Cqe cqe) noexcept {
    if (cqe.res >= 0) {
      connections_.emplace_back(*this, static_cast<lab::FileSlot>(cqe.res));
      if (++accepted_ == clients_max_) shutdown(listener_, SHUT_RD);  // ends the multishot accept
    }
    if (!cqe.more() && accepted_ != clients_max_) accept_.start(ring, listener_);
  }

  void on_shutdown(lab::Cqe) noexcept {}  // fails after a reset: then there is nothing to end

  int listener_;
  unsigned clients_max_;
  unsigned accepted_ = 0;
  std::list<Connection> connections_;
  lab::Bind<lab::AcceptMultishot, &Server::on_accept> accept_{*this};
  lab::Bind<lab::ShutdownSlot, &Server::on_shutdown> shutdown_{*this};
};

/// A listener whose connections have small socket buffers: they do on loopback what a slow line
/// does in the world.
inline int listen_narrow(std::uint16_t& port) {
  const int listener = lab::listen_on_loopback(port);
  const int send_size = 4096;
  const int receive_size = 32 * 1024;
  lab::need_errno(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &send_size, sizeof send_size),
                  "SO_SNDBUF");
  lab::need_errno(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof receive_size),
                  "SO_RCVBUF");
  return listener;
}
