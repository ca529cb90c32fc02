// Stage 6: no more connections than there is room for, nobody lost at the limit, and no place held
// by the silent.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
#include "03-network/lib/send_zero_copy.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/lib/slab_pool.hpp"
#include "06-server/lib/engine/acceptor.hpp"
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

  /// It was silent for too long: what is in flight is cancelled, then it closes.
  void end() noexcept;
  std::uint32_t active_tick() const noexcept { return active_tick_; }

  lab::ListLink<Connection> waiting_link;
  lab::ListLink<Connection> age_link;

 private:
  void send_next() noexcept;
  void on_recv(lab::Cqe cqe) noexcept;
  void on_send(lab::Cqe cqe) noexcept;
  void on_zero_copy(lab::Cqe cqe) noexcept;
  void note_activity() noexcept;
  void go_on() noexcept;
  void hang_up() noexcept;
  void on_cancel(lab::Cqe) noexcept { leave(); }
  void on_close(lab::Cqe) noexcept;
  void leave() noexcept;

  Worker& worker_;
  lab::FileSlot slot_;
  bool asks_for_room_ = false;  // what is in flight is the question whether an answer would fit
  bool unread_ = false;         // the socket held more than the last receive took
  std::uint32_t waiting_since_ = 0;
  bool ends_ = false;     // nothing more is wanted of it
  bool closing_ = false;  // the close is on its way
  bool closed_ = false;
  std::uint32_t active_tick_ = 0;
  lab::LeaseQueue outbox_;
  // What the zero-copy send reads from: until its notification.
  lab::BufferLease zero_copy_lease_;
  lab::Bind<lab::RecvMultishot, &Connection::on_recv> recv_{*this};
  lab::Bind<lab::Send, &Connection::on_send> send_{*this};
  lab::Bind<lab::SendZeroCopy, &Connection::on_zero_copy> zero_copy_{*this};
  lab::Bind<lab::Cancel, &Connection::on_cancel> cancel_{*this};
  lab::Bind<lab::CloseSlot, &Connection::on_close> close_{*this};
};

struct Options {
  unsigned connections_max = 4096;
  unsigned buffer_count = 64;
  unsigned buffer_size = 16 * 1024;
  lab::ZeroCopyMode zero_copy = lab::ZeroCopyMode::automatic;
  unsigned zero_copy_threshold = 16 * 1024;  // bytes
  bool zero_copy_reports = true;             // the kernel says what it copied (Linux 6.2)
  unsigned idle_timeout_ms = 60'000;
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
        connections_max_(options.connections_max),
        idle_ticks_(options.idle_timeout_ms / tick_ms) {
    acceptor_.start(listener);
  }

  void run() noexcept;
  /// From any thread: it takes no more clients, and run() returns when those that it has are gone.
  void end() noexcept { ends_ = true; }

  // What the acceptor needs.
  unsigned room() const noexcept { return connections_max_ - connections_.used(); }
  void adopt(lab::FileSlot slot) noexcept;
  void accept_failed() noexcept {}

  bool scarce() const noexcept { return budget_.scarce(buffers.free()); }
  bool wants_zero_copy(std::uint32_t bytes) noexcept {
    return budget_.may_send_zero_copy(0, buffers.free()) && zero_copy.wanted(bytes);
  }
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>(ring.now_ns() / tick_ns);
  }
  void wait_for_buffer(Connection& one) noexcept { waiting_.push_back(one); }
  bool leave_line(Connection& one) noexcept;
  void touch(Connection& one) noexcept { by_age_.move_to_back(one); }
  void note_question() noexcept { most_at_once = std::max(most_at_once, ++questions_); }
  void hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept;
  void release(Connection& one) noexcept;

  lab::Ring ring;
  unsigned most_connections = 0;
  unsigned most_at_once = 0;  // questions that one turn brought

 private:
  static constexpr unsigned tick_ms = 25;
  static constexpr std::uint64_t tick_ns = std::uint64_t{tick_ms} * 1'000'000;
  // On Linux 6.1 a slot may come again before the CQE of its close has been seen.
  static constexpr unsigned spare_connections = 64;

  void grant_buffers() noexcept;
  void close_idle() noexcept;
  void on_shutdown(lab::Cqe) noexcept {}  // fails after a reset: then there is nothing to end
  void on_timer(lab::Cqe) noexcept { close_idle(); }

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
  lab::IntrusiveList<Connection, &Connection::age_link> by_age_;       // oldest activity first
  const unsigned connections_max_;
  const unsigned idle_ticks_;
  unsigned questions_ = 0;  // of this turn
  std::atomic<bool> ends_ = false;
  lab::Acceptor<Worker> acceptor_{ring, *this, tick_ms};
  lab::Bind<lab::ShutdownSlot, &Worker::on_shutdown> shutdown_{*this};
  lab::Bind<lab::Timer, &Worker::on_timer> timer_{*this};
};

// [walk run]
inline void Worker::run() noexcept {
  while (!ends_) {
    if (!timer_.armed()) timer_.start(ring, tick_ns);
    questions_ = 0;
    ring.run_once(more_to_grant_ ? 0 : 1);
    grant_buffers();
    acceptor_.steer();
  }
  acceptor_.stop();
  while (ring.armed_count() > 0) {
    ring.run_once(1);
    grant_buffers();
  }
}
// [/walk]

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

// [walk limits]
inline void Worker::adopt(lab::FileSlot slot) noexcept {
  Connection* one = connections_.create(*this, slot);
  LAB_ASSERT(one != nullptr);
  by_age_.push_back(*one);
  most_connections = std::max(most_connections, connections_.used());
}

// The list is sorted by the time of the last question: behind the first young one all are young.
inline void Worker::close_idle() noexcept {
  for (Connection* one = by_age_.front(); one != nullptr; one = by_age_.next(*one)) {
    if (tick() - one->active_tick() < idle_ticks_) return;
    one->end();
  }
}
// [/walk]

inline bool Worker::leave_line(Connection& one) noexcept {
  const bool was_in_it = waiting_.contains(one);
  if (was_in_it) waiting_.remove(one);
  return was_in_it;
}

// Before Linux 6.13 a closed slot's file goes only when all older requests on other slots have
// ended, and until then the peer would hear nothing. The shutdown tells it at once.
inline void Worker::hang_up(lab::FileSlot slot, lab::CloseSlot& closing) noexcept {
  ring.reserve(2);
  shutdown_.link_before_close(ring, slot);
  closing.start(ring, slot);
}

inline void Worker::release(Connection& one) noexcept {
  by_age_.remove(one);
  connections_.destroy(&one);
}

inline Connection::Connection(Worker& worker, lab::FileSlot slot) noexcept
    : worker_(worker), slot_(slot), active_tick_(worker.tick()), outbox_(worker.lease_pool) {
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

inline void Connection::on_recv(lab::Cqe cqe) noexcept {
  if (ends_) {
    if (cqe.has_buffer()) worker_.buffers.lease(cqe).reset();
    return hang_up();
  }
  const bool there_is_room = asks_for_room_;  // or it is broken: the receive will say so
  asks_for_room_ = false;
  if (there_is_room || cqe.res == -ENOBUFS) {
    waiting_since_ = worker_.tick();
    worker_.wait_for_buffer(*this);
  } else if (cqe.has_buffer()) {
    note_activity();
    worker_.note_question();
    unread_ = cqe.socket_nonempty();
    outbox_.push(worker_.buffers.lease(cqe));
    send_next();
  } else {
    hang_up();  // FIN or an error, and nothing else is in flight
  }
}

inline void Connection::on_send(lab::Cqe cqe) noexcept {
  if (cqe.res <= 0) outbox_.clear();  // the peer is gone: the next receive says so, and closes
  if (cqe.res > 0) outbox_.consume(static_cast<std::uint32_t>(cqe.res));
  go_on();
}

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

inline void Connection::note_activity() noexcept {
  active_tick_ = worker_.tick();
  worker_.touch(*this);
}

inline void Connection::go_on() noexcept {
  if (ends_) return hang_up();
  note_activity();
  if (outbox_.empty()) return receive();
  send_next();
}

// [walk end]
// A connection either is in line for a buffer, or has an operation in flight, which is cancelled.
// A cancel may come too late. Then the operation has ended by itself, and its handler sees
// ends_.
inline void Connection::end() noexcept {
  if (ends_ || closing_) return;
  ends_ = true;
  if (worker_.leave_line(*this)) return hang_up();
  if (recv_.armed()) return cancel_.start(worker_.ring, recv_);
  if (send_.armed()) return cancel_.start(worker_.ring, send_);
  cancel_.start(worker_.ring, zero_copy_);
}

inline void Connection::hang_up() noexcept {
  closing_ = true;
  outbox_.clear();
  worker_.hang_up(slot_, close_);
}
// [/walk]

inline void Connection::on_close(lab::Cqe) noexcept {
  closed_ = true;
  leave();
}

// The slot is closed, but a cancel may still be under way, and the kernel may read our buffer.
inline void Connection::leave() noexcept {
  if (closed_ && !zero_copy_.armed() && !cancel_.armed()) worker_.release(*this);
}

}  // namespace stage
