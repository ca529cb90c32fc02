// Stage 1: the echo of 03-19 as one core's worker. All its memory is taken at the start.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/lib/slab_pool.hpp"
#include "06-server/01-one-core/on_descriptors.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"

namespace stage {

class Worker;

// [walk connection]
// One operation in flight at a time: receive a buffer, send it, receive again. So it never holds
// more than one buffer, and its end is simple.
class Connection {
 public:
  Connection(Worker& worker, int fd) noexcept;
  void receive() noexcept;

  lab::ListLink<Connection> waiting_link;

 private:
  void send_next() noexcept;
  void on_recv(lab::Cqe cqe) noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void on_close(lab::Cqe) noexcept;

  Worker& worker_;
  int fd_;
  lab::LeaseQueue outbox_;
  lab::Bind<Receive, &Connection::on_recv> recv_{*this};
  lab::Bind<Send, &Connection::on_send> send_{*this};
  lab::Bind<Close, &Connection::on_close> close_{*this};
};
// [/walk]

// [walk options]
struct Options {
  unsigned connections_max = 4096;
  unsigned buffer_count = 64;
  unsigned buffer_size = 16 * 1024;
  unsigned clients_max = ~0U;  // run() returns when this many have come and gone
};
// [/walk]

// [walk worker]
// One core's server. Members die in reverse order: first the accept and the connections, then the
// memory that they use, and the ring last. That order is why private and public alternate: do not
// change it.
class Worker {
 public:
  Worker(int listener, const Options& options)
      : ring(lab::RingPreset::server(options.buffer_count)),
        memory_(std::size_t{options.buffer_count} * options.buffer_size),
        buffers(ring, {.count = options.buffer_count, .size = options.buffer_size}, memory_),
        lease_pool(options.buffer_count),
        connections_(options.connections_max),
        listener_(listener),
        clients_left_(options.clients_max) {
    accept_.start(ring, listener_);
  }

  void run() noexcept;
  void wait_for_buffer(Connection& one) noexcept { waiting_.push_back(one); }
  void release(Connection& one) noexcept;

  lab::Ring ring;

 private:
  void grant_buffers() noexcept;
  void on_accept(lab::Cqe cqe) noexcept;

  std::vector<std::byte> memory_;

 public:
  lab::BufferRing buffers;
  lab::LeasePool lease_pool;

 private:
  lab::SlabPool<Connection> connections_;
  lab::IntrusiveList<Connection, &Connection::waiting_link> waiting_;  // for a buffer
  int listener_;
  unsigned clients_left_;
  lab::Bind<Accept, &Worker::on_accept> accept_{*this};
};
// [/walk]

// [walk run]
inline void Worker::run() noexcept {
  while (ring.armed_count() > 0) {
    // Whoever was granted a buffer may have no data, and then the buffer is still free. So do not
    // sleep while others wait: the next in line may use it.
    ring.run_once(!waiting_.empty() && buffers.free() > 0 ? 0 : 1);
    grant_buffers();
  }
}

// First come, first served.
inline void Worker::grant_buffers() noexcept {
  for (unsigned free = buffers.free(); free > 0 && !waiting_.empty(); --free) {
    Connection& one = *waiting_.front();
    waiting_.remove(one);
    one.receive();
  }
}
// [/walk]

// [walk on-accept]
inline void Worker::on_accept(lab::Cqe cqe) noexcept {
  if (cqe.res >= 0 && connections_.create(*this, cqe.res) == nullptr) close(cqe.res);
  if (cqe.res >= 0 && --clients_left_ == 0) shutdown(listener_, SHUT_RD);  // ends the accept
  // After an error a new accept would fail in the same way, so it waits for release(): then a
  // connection has gone, and its descriptor is free.
  if (!cqe.more() && cqe.res >= 0 && clients_left_ != 0) accept_.start(ring, listener_);
}

inline void Worker::release(Connection& one) noexcept {
  connections_.destroy(&one);
  if (!accept_.armed() && clients_left_ != 0) accept_.start(ring, listener_);
}
// [/walk]

// [walk connection]
inline Connection::Connection(Worker& worker, int fd) noexcept
    : worker_(worker), fd_(fd), outbox_(worker.lease_pool) {
  receive();
}

inline void Connection::receive() noexcept { recv_.start(worker_.ring, fd_, worker_.buffers); }

inline void Connection::send_next() noexcept {
  send_.start(worker_.ring, fd_, outbox_.front().bytes());
}
// [/walk]

// [walk handlers]
inline void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (cqe.has_buffer()) {
    outbox_.push(worker_.buffers.lease(cqe));
    send_next();
  } else if (cqe.res == -ENOBUFS) {
    worker_.wait_for_buffer(*this);
  } else {
    close_.start(worker_.ring, fd_);  // FIN or an error, and nothing else is in flight
  }
}

inline void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res <= 0) outbox_.clear();  // the peer is gone: the next receive says so, and closes
  if (cqe.res > 0) outbox_.consume(static_cast<std::uint32_t>(cqe.res));
  if (outbox_.empty()) return receive();
  send_next();
}

inline void Connection::on_close(lab::Cqe) noexcept { worker_.release(*this); }
// [/walk]

}  // namespace stage
