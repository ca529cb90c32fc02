// Stage 4: large answers are sent without a copy, where the kernel says that it saves one.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
#include "03-network/lib/send_zero_copy.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/lib/slab_pool.hpp"
#include "06-server/lib/engine/buffer_budget.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/engine/zero_copy_policy.hpp"

namespace stage {

class Worker;

// One operation in flight at a time: receive a buffer, send it, receive again. So it never holds
// more than one buffer, and its end is simple.
class Connection {
 public:
  Connection(Worker& worker, lab::FileSlot slot) noexcept;
  void receive() noexcept;
  /// Its turn has come. @param bytes_max 0: a whole buffer
  void receive_granted(unsigned bytes_max) noexcept;
  bool unread() const noexcept { return unread_; }
  std::uint32_t waiting_since() const noexcept { return waiting_since_; }

  lab::ListLink<Connection> waiting_link;

 private:
  void send_next() noexcept;
  void on_recv(lab::Cqe cqe) noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void on_zero_copy(lab::Cqe cqe) noexcept;
  void go_on() noexcept;
  void on_close(lab::Cqe) noexcept;
  void leave() noexcept;

  Worker& worker_;
  lab::FileSlot slot_;
  bool asks_for_room_ = false;  // what is in flight is the question whether an answer would fit
  bool unread_ = false;         // the socket held more than the last receive took
  std::uint32_t waiting_since_ = 0;
  bool closed_ = false;
  lab::LeaseQueue outbox_;
  // What the zero-copy send reads from: until its notification.
  lab::BufferLease zero_copy_lease_;
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  lab::Bind<lab::Send, &Connection::on_send> send_{*this};
  lab::Bind<lab::SendZeroCopy, &Connection::on_zero_copy> zero_copy_{*this};
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};

struct Options {
  unsigned connections_max = 4096;
  unsigned buffer_count = 64;
  unsigned buffer_size = 16 * 1024;
  lab::ZeroCopyMode zero_copy = lab::ZeroCopyMode::automatic;
  unsigned zero_copy_threshold = 16 * 1024;  // bytes
  bool zero_copy_reports = true;             // the kernel says what it copied (Linux 6.2)
  unsigned clients_max = ~0U;                // run() returns when this many have come and gone
};

// One core's server. It dies from the last line up: operations before their memory.
class Worker {
 public:
  Worker(int listener, const Options& options)
      : ring(lab::RingPreset::server(options.buffer_count)),
        table_(ring, options.connections_max),
        memory_(std::size_t{options.buffer_count} * options.buffer_size),
        buffers(ring, {.count = options.buffer_count, .size = options.buffer_size}, memory_),
        lease_pool(options.buffer_count),
        zero_copy(options.zero_copy, options.zero_copy_threshold),
        zero_copy_reports(options.zero_copy_reports),
        budget_(options.buffer_count, options.buffer_size),
        connections_(options.connections_max + spare_connections),
        listener_(listener),
        clients_left_(options.clients_max) {
    accept_.start(ring, listener_);
  }

  void run() noexcept;
  bool scarce() const noexcept { return budget_.scarce(buffers.free()); }
  bool wants_zero_copy(std::uint32_t bytes) noexcept {
    return budget_.may_send_zero_copy(0, buffers.free()) && zero_copy.wanted(bytes);
  }
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>(ring.now_ns() / tick_ns);
  }
  void wait_for_buffer(Connection& one) noexcept { waiting_.push_back(one); }
  void hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept;
  void release(Connection& one) noexcept;

  lab::Ring ring;

 private:
  static constexpr std::uint64_t tick_ns = 25'000'000;
  // On Linux 6.1 a slot may come again before the CQE of its close has been seen.
  static constexpr unsigned spare_connections = 64;

  void grant_buffers() noexcept;
  void on_accept(lab::Cqe cqe) noexcept;
  void on_shutdown(lab::Cqe) noexcept {}  // fails after a reset: then there is nothing to end
  void on_timer(lab::Cqe) noexcept {}     // that a turn begins is all that it is for

  lab::FileTable table_;
  std::vector<std::byte> memory_;

 public:
  lab::BufferRing buffers;
  lab::LeasePool lease_pool;
  lab::ZeroCopyPolicy zero_copy;
  const bool zero_copy_reports;
  unsigned long zero_copy_sends = 0;
  unsigned long zero_copy_copied = 0;  // of these, so many were copied after all

 private:
  lab::BufferBudget budget_;
  bool more_to_grant_ = false;  // a turn must not sleep: somebody's turn may come at once
  lab::SlabPool<Connection> connections_;
  lab::IntrusiveList<Connection, &Connection::waiting_link> waiting_;  // for a buffer
  int listener_;
  unsigned clients_left_;
  lab::Bind<lab::AcceptMultishot, &Worker::on_accept> accept_{*this};
  lab::Bind<lab::ShutdownSlot, &Worker::on_shutdown> shutdown_{*this};
  lab::Bind<lab::Timer, &Worker::on_timer> timer_{*this};
};

inline void Worker::run() noexcept {
  while (ring.armed_count() > 0) {
    ring.run_once(more_to_grant_ ? 0 : 1);
    grant_buffers();
  }
}

// First come, first served. While more than the reserve is free, a connection that is known to have
// data gets a whole buffer. All others get a bite: its answer is sure to fit into a socket that was
// just found writable. So the reserve is home again a turn later.
inline void Worker::grant_buffers() noexcept {
  more_to_grant_ = false;
  budget_.begin_turn();
  auto round = budget_.begin_grants(buffers.free(), tick());
  while (!waiting_.empty()) {
    Connection& one = *waiting_.front();
    using Grant = lab::BufferBudget::Grant;
    const Grant grant = round.next(one.unread(), one.waiting_since());
    if (grant == Grant::later && !timer_.armed()) timer_.start(ring, tick_ns);
    if (grant == Grant::none) more_to_grant_ = buffers.free() > 0;
    if (grant == Grant::later || grant == Grant::none) return;
    waiting_.remove(one);
    one.receive_granted(grant == Grant::whole ? 0 : budget_.bite());
  }
}

inline void Worker::on_accept(lab::Cqe cqe) noexcept {
  if (cqe.res >= 0) {
    const Connection* one = connections_.create(*this, static_cast<lab::FileSlot>(cqe.res));
    LAB_ASSERT(one != nullptr);  // there are more of them than slots
  }
  if (cqe.res >= 0 && --clients_left_ == 0) shutdown(listener_, SHUT_RD);  // ends the accept
  // After an error a new accept would fail in the same way, so it waits for release(): then a
  // connection has gone, and there is room.
  if (!cqe.more() && cqe.res >= 0 && clients_left_ != 0) accept_.start(ring, listener_);
}

// Before Linux 6.13 a closed slot's file goes only when all older requests on other slots have
// ended, and until then the peer would hear nothing. The shutdown tells it at once.
inline void Worker::hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept {
  ring.reserve(2);
  shutdown_.link_before_close(ring, slot);
  closing.start(ring, slot);
}

inline void Worker::release(Connection& one) noexcept {
  connections_.destroy(&one);
  if (!accept_.armed() && clients_left_ != 0) accept_.start(ring, listener_);
}

inline Connection::Connection(Worker& worker, lab::FileSlot slot) noexcept
    : worker_(worker), slot_(slot), outbox_(worker.lease_pool) {
  receive();
}

// While buffers are scarce, nobody takes one without asking. First the socket is asked whether an
// answer would fit, so a client that does not read gets no buffer.
inline void Connection::receive() noexcept {
  if (!worker_.scarce()) return receive_granted(0);
  asks_for_room_ = true;
  recv_.start_when_writable(worker_.ring, slot_);
}

inline void Connection::receive_granted(unsigned bytes_max) noexcept {
  recv_.start_once(worker_.ring, slot_, worker_.buffers, bytes_max);
}

// [walk send-next]
inline void Connection::send_next() noexcept {
  const bool notification_due = zero_copy_.armed();
  if (notification_due || !worker_.wants_zero_copy(outbox_.front().size())) {
    return send_.start(worker_.ring, slot_, outbox_.front().bytes());
  }
  zero_copy_lease_ = outbox_.pop();
  zero_copy_.start(worker_.ring, slot_, zero_copy_lease_.bytes(),
                   {.report_usage = worker_.zero_copy_reports});
  ++worker_.zero_copy_sends;
}
// [/walk]

inline void Connection::on_recv(lab::Cqe cqe) noexcept {
  const bool there_is_room = asks_for_room_;  // or it is broken: the receive will say so
  asks_for_room_ = false;
  if (there_is_room || cqe.res == -ENOBUFS) {
    waiting_since_ = worker_.tick();
    worker_.wait_for_buffer(*this);
  } else if (cqe.has_buffer()) {
    unread_ = cqe.socket_nonempty();
    outbox_.push(worker_.buffers.lease(cqe));
    send_next();
  } else {
    worker_.hang_up(slot_, close_);  // FIN or an error, and nothing else is in flight
  }
}

inline void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res <= 0) outbox_.clear();  // the peer is gone: the next receive says so, and closes
  if (cqe.res > 0) outbox_.consume(static_cast<std::uint32_t>(cqe.res));
  go_on();
}

// [walk on-zero-copy]
// Two CQEs. The result says what comes next on this stream. The notification says that the kernel
// no longer reads the buffer; it comes only if the result carries F_MORE.
inline void Connection::on_zero_copy(lab::Cqe cqe) noexcept {
  if (cqe.notification()) {
    const bool copied = lab::SendZeroCopy::copied(cqe);
    worker_.zero_copy.report(copied);
    if (copied) ++worker_.zero_copy_copied;
    zero_copy_lease_.reset();
    return leave();
  }
  const std::uint32_t sent = cqe.res > 0 ? static_cast<std::uint32_t>(cqe.res) : 0;
  const bool refused = cqe.res == -ENOMEM || cqe.res == -ENOBUFS || cqe.res == -EOPNOTSUPP;
  if (refused) worker_.zero_copy.report(true);  // it will go out plainly, so it counts as copied
  if ((sent > 0 || refused) && sent < zero_copy_lease_.size()) {
    outbox_.push_front(zero_copy_lease_.rest_after(sent));
  }
  if (!cqe.more()) zero_copy_lease_.reset();
  go_on();
}
// [/walk]

inline void Connection::go_on() noexcept {
  if (outbox_.empty()) return receive();
  send_next();
}

// [walk leave]
inline void Connection::on_close(lab::Cqe) noexcept {
  closed_ = true;
  leave();
}

// The slot is closed, but the kernel may still read our buffer to send what it holds.
inline void Connection::leave() noexcept {
  if (closed_ && !zero_copy_.armed()) worker_.release(*this);
}
// [/walk]

}  // namespace stage
