// One client: receives into leases, lets its protocol turn them into an outbox, and sends that in
// order.
//
// Handlers only take note of what happened; advance() decides what follows, once per batch of
// completions. Lifetime: from Worker::on_accept until nothing is due on it: results first, then the
// slot, then the notifications of zero-copy sends. It never frees itself earlier, whatever its peer
// does.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "01-core/lib/cancel.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"
#include "03-network/lib/send_zero_copy.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/intrusive_list.hpp"

namespace lab {

template <class Protocol>
class Worker;
template <class Protocol>
class Connection;

/// A zero-copy send and the lease it reads from, until the notification. From a pool of the worker:
/// many can await their notification while the connection sends on.
template <class Protocol>
class ZeroCopySend {
 public:
  ZeroCopySend(Connection<Protocol>& owner, BufferLease bytes) noexcept
      : owner_(owner), lease(std::move(bytes)) {}

  void on_send(Cqe cqe) noexcept { owner_.on_zero_copy(*this, cqe); }

 private:
  Connection<Protocol>& owner_;

 public:
  BufferLease lease;
  Bind<SendZeroCopy, &ZeroCopySend::on_send> send{*this};
};

template <class Protocol>
class alignas(64) Connection {
 public:
  Connection(Worker<Protocol>& worker, FileSlot slot) noexcept
      : worker_(worker), slot_(slot), outbox_(worker.lease_pool()) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The slot is ours: begins to receive.
  void opened() noexcept {
    activity_tick_ = worker_.tick();
    worker_.mark_ready(*this);
  }

  /// Decides what happens next. Called once after each batch in which something happened here; it
  /// may end with this object's death.
  void advance() noexcept {
    switch (phase_) {
      case Phase::open:
        send_next();
        steer_receiving();
        break;
      case Phase::finishing:
        stop_receiving();
        send_next();
        if (outbox_.empty()) close_join();
        break;
      case Phase::aborting:
        stop_receiving();
        stop_sending();
        close_join();
        break;
    }
  }

  /// Its turn in the waiting list came: a buffer is there for it.
  /// @param bytes_max while buffers are scarce, how much of the buffer it may fill; 0: all of it
  void receive_granted(std::uint32_t bytes_max) noexcept {
    LAB_ASSERT(receiving_ == Receiving::starved);
    refused_ = false;
    receive_now(worker_.scarce(), bytes_max);
  }

  /// Ends the receive in flight and begins another; what arrives in between is kept.
  void renew_receive() noexcept {
    const bool waits = receiving_ == Receiving::armed || receiving_ == Receiving::gated;
    if (waits && phase_ == Phase::open) cancel_receive();
  }

  /// No more is received; what has come is sent back, then the connection closes.
  void finish() noexcept {
    if (phase_ != Phase::open) return;
    phase_ = Phase::finishing;
    worker_.mark_ready(*this);
  }

  /// Everything is dropped and the peer gets a reset, where the kernel can (6.7); else TCP's
  /// timeout ends it.
  void reset() noexcept {
    reset_ = true;
    abort();
  }

  /// Nothing to send and nothing on the way.
  bool quiet() const noexcept { return outbox_.empty() && !sending_; }
  /// Quiet, and its socket holds nothing that was not received: a receive that has been in flight
  /// since the last look would have taken it. Closing a socket with unread data is a reset, which
  /// overtakes what was sent. One look a tick.
  bool still_rests() noexcept {
    const bool rested = rested_;
    rested_ = quiet() && receiving_ == Receiving::armed;
    return rested && rested_;
  }
  /// The peer has sent more than its last receive took.
  bool unread() const noexcept { return unread_; }

  /// True while it holds buffers for a peer that takes nothing: since when, see stuck_since().
  bool stuck() const noexcept {
    return phase_ != Phase::aborting && !slot_closed_ && (sending_ || notifications_due_ > 0);
  }
  /// The tick of the latest progress of its sends.
  std::uint32_t stuck_since() const noexcept { return progress_tick_; }
  /// Buffers that are not home because of it.
  std::uint32_t held() const noexcept { return outbox_.count() + notifications_due_; }
  /// The tick at which it began to wait for a buffer, or for data: see receiving_link.
  std::uint32_t receiving_since() const noexcept { return receiving_since_; }
  std::uint32_t last_activity() const noexcept { return activity_tick_; }
  bool open() const noexcept { return phase_ == Phase::open; }
  bool aborting() const noexcept { return phase_ == Phase::aborting; }

  ListLink<Connection> age_link;  ///< in the worker's list by last activity, always
  /// In the worker's waiting list, exactly while starved; where receives are renewed, in the list
  /// of those in flight, exactly while recv_ is armed.
  ListLink<Connection> receiving_link;
  Connection* ready_next = nullptr;  ///< in the worker's list of connections to advance
  bool ready = false;

 private:
  friend class ZeroCopySend<Protocol>;

  enum class Phase : std::uint8_t {
    open,
    finishing,  ///< nothing more is wanted from the peer; what has come is sent, then it closes
    aborting    ///< nothing more is sent either
  };

  enum class Receiving : std::uint8_t {
    paused,   ///< nothing in flight: too much is unsent, or a receive ended and the next is due
    armed,    ///< a receive is in flight
    pausing,  ///< its cancel is due too; what still arrives is kept
    gated,    ///< buffers are scarce: first the socket must be able to take an answer
    starved,  ///< in the worker's waiting list for a buffer
    ended     ///< nothing more comes, or nothing more is wanted
  };

  // --- receiving ---

  void steer_receiving() noexcept {
    if (receiving_ == Receiving::armed && multishot_ && worker_.over_high_water(held())) {
      note_pause();
      cancel_receive();
    }
    join_pause();
    if (receiving_ != Receiving::paused) return;
    if (may_receive()) {
      receive();
    } else {
      note_pause();
    }
  }

  // Once from its beginning to its end. Waiting for one answer to be out is no pause.
  void note_pause() noexcept {
    if (pause_noted_ || worker_.below_low_water(held())) return;
    pause_noted_ = true;
    worker_.stats()[Stat::pauses].add(1);
  }

  // Too early a receive fills the outbox again; while buffers are scarce, one answer must be out
  // before the next question is read.
  bool may_receive() const noexcept {
    if (worker_.scarce() || refused_) return quiet() && worker_.below_low_water(held());
    return worker_.below_low_water(held());
  }

  void receive() noexcept {
    pause_noted_ = false;
    if (worker_.scarce() || refused_) {
      receiving_ = Receiving::gated;
      polling_ = true;
      note_receive();
      recv_.start_when_writable(worker_.ring(), slot_);
    } else {
      // Without the kernel's retry limit a multishot takes all that is queued, at once.
      receive_now(!worker_.multishot_is_fair() && !outbox_.empty(), 0);
    }
  }

  void receive_now(bool one_shot, std::uint32_t bytes_max) noexcept {
    receiving_ = Receiving::armed;
    rested_ = false;
    multishot_ = !one_shot;
    note_receive();
    if (one_shot) {
      recv_.start_once(worker_.ring(), slot_, worker_.buffers(), bytes_max);
    } else {
      recv_.start(worker_.ring(), slot_, worker_.buffers(), worker_.grant_multishot());
    }
  }

  void note_receive() noexcept {
    if (worker_.slot_releases()) return;
    receiving_since_ = worker_.tick();
    worker_.receive_begins(*this);
  }

  void on_recv(Cqe cqe) noexcept {
    worker_.mark_ready(*this);
    if (!cqe.more() && !worker_.slot_releases()) worker_.receive_ended(*this);
    if (polling_) {
      on_writable(cqe);
      return;
    }
    unread_ = cqe.socket_nonempty();
    if (cqe.has_buffer()) take(worker_.buffers().lease(cqe));
    if (!cqe.more()) on_recv_ended(cqe.res);
  }

  // The last CQE may be data, the end, our cancel, or no buffers, whatever was asked for in the
  // meantime.
  void on_recv_ended(int res) noexcept {
    if (res == 0) {
      receiving_ = Receiving::ended;
      if (phase_ == Phase::open) phase_ = Phase::finishing;
    } else if (res > 0 || res == -ECANCELED || res == -ENOBUFS || res == -EINTR || res == -EAGAIN) {
      if (res == -ENOBUFS) {
        refused_ = true;
        worker_.stats()[Stat::no_buffers].add(1);
      }
      if (receiving_ == Receiving::armed) receiving_ = Receiving::paused;
    } else {
      receiving_ = Receiving::ended;
      abort_broken();
    }
  }

  void on_writable(Cqe cqe) noexcept {
    polling_ = false;
    if (receiving_ != Receiving::gated) return;  // cancelled: the join goes on in advance()
    if (cqe.res < 0 && cqe.res != -ECANCELED) {
      receiving_ = Receiving::ended;
      abort_broken();
      return;
    }
    receiving_ = Receiving::starved;
    receiving_since_ = worker_.tick();
    worker_.wait_for_buffer(*this);
  }

  void take(BufferLease lease) noexcept {
    if (lease.size() == 0 || phase_ == Phase::aborting) return;
    WorkerStats& stats = worker_.stats();
    stats[Stat::receives].add(1);
    stats[Stat::bytes_in].add(lease.size());
    if (!multishot_) stats[Stat::receives_one_shot].add(1);
    touch();
    protocol_.on_bytes(std::move(lease), outbox_);
  }

  // Again after a cancel that found nothing, as a multishot that was just about to go on is not
  // found. One that was found ends, but with many others perhaps some turns later: an enter makes
  // 20 of these completions.
  void cancel_receive() noexcept {
    receiving_ = Receiving::pausing;
    if (!recv_.armed() || cancel_recv_.armed() || recv_found_) return;
    cancel_recv_.start(worker_.ring(), recv_);
  }

  void on_cancel_recv(Cqe cqe) noexcept {
    recv_found_ = cqe.res == 0;
    worker_.mark_ready(*this);
  }

  void join_pause() noexcept {
    if (receiving_ != Receiving::pausing) return;
    if (!recv_.armed() && !cancel_recv_.armed()) {
      receiving_ = Receiving::paused;
      recv_found_ = false;
    } else {
      cancel_receive();
    }
  }

  void stop_receiving() noexcept {
    if (receiving_ == Receiving::starved) {
      worker_.leave_waiting(*this);
      receiving_ = Receiving::ended;
    } else if (receiving_ != Receiving::ended) {
      cancel_receive();
      join_pause();
      if (receiving_ == Receiving::paused) receiving_ = Receiving::ended;
    }
  }

  // --- sending ---

  // One unfinished send at a time, or the stream could be reordered. It ends as soon as the socket
  // has taken something: one that waits has taken nothing since it began, so how long it waits is
  // how long its peer has stood still.
  void send_next() noexcept {
    if (sending_ || outbox_.empty()) return;
    if (notifications_due_ == 0) progress_tick_ = worker_.tick();
    sending_ = true;
    if (send_zero_copy() || send_gathered()) return;
    asked_ = outbox_.front().size();
    send_.start(worker_.ring(), slot_, outbox_.front().bytes(), Send::what_fits);
  }

  bool send_gathered() noexcept {
    if (outbox_.count() == 1) return false;
    gather_ = worker_.gather_lists().create();
    if (gather_ == nullptr) return false;
    asked_ = gather_->fill(outbox_);
    send_.start(worker_.ring(), slot_, gather_->message(), Send::what_fits);
    return true;
  }

  // A zero-copy send keeps its buffer until the peer has acknowledged it, which one that does not
  // read never does: while buffers are few, the bytes are copied and the buffer is free at once.
  bool send_zero_copy() noexcept {
    if (!zero_copy_works_ || !worker_.zero_copy().wanted(outbox_.front().size()) ||
        !worker_.may_send_zero_copy(notifications_due_)) {
      return false;
    }
    ZeroCopySend<Protocol>* send = worker_.create_zero_copy_send(*this);
    if (send == nullptr) return false;
    send->lease = outbox_.pop();
    zero_copy_ = send;
    asked_ = send->lease.size();
    send->send.start(worker_.ring(), slot_, send->lease.bytes(), worker_.zero_copy_options());
    return true;
  }

  void on_send(Cqe cqe) noexcept {
    if (gather_ != nullptr) worker_.gather_lists().destroy(std::exchange(gather_, nullptr));
    on_sent(cqe.res);
    if (cqe.res > 0) {
      outbox_.consume(static_cast<std::uint32_t>(cqe.res));
    } else if (cqe.res != -EINTR && cqe.res != -EAGAIN) {
      abort_broken();
    }
  }

  // The result, and then the notification when the result said F_MORE. The lease lives until the
  // last one.
  void on_zero_copy(ZeroCopySend<Protocol>& send, Cqe cqe) noexcept {
    if (cqe.notification()) {
      worker_.on_zero_copy_done(cqe);
      --notifications_due_;
      progress_tick_ = worker_.tick();
      worker_.mark_ready(*this);
      worker_.destroy_zero_copy_send(send);
      return;
    }
    zero_copy_ = nullptr;
    on_sent(cqe.res);
    const bool fall_back = cqe.res == -ENOMEM || cqe.res == -ENOBUFS || cqe.res == -EOPNOTSUPP;
    if (fall_back) {
      zero_copy_works_ = false;
      worker_.stats()[Stat::zero_copy_fallbacks].add(1);
    }
    if (fall_back || cqe.res == -EINTR || cqe.res == -EAGAIN) {
      outbox_.push_front(send.lease.rest_after(0));
    } else if (cqe.res <= 0) {
      abort_broken();
    } else if (static_cast<std::uint32_t>(cqe.res) < send.lease.size()) {
      outbox_.push_front(send.lease.rest_after(static_cast<std::uint32_t>(cqe.res)));
    }
    if (cqe.more()) {
      ++notifications_due_;
    } else {
      worker_.destroy_zero_copy_send(send);
    }
  }

  // The common part of every send's result. A cancelled send may have sent a part.
  void on_sent(int res) noexcept {
    LAB_ASSERT(sending_);
    sending_ = false;
    worker_.mark_ready(*this);
    WorkerStats& stats = worker_.stats();
    stats[Stat::sends].add(1);
    if (res <= 0) return;
    stats[Stat::bytes_out].add(static_cast<std::uint32_t>(res));
    if (static_cast<std::uint32_t>(res) < asked_) stats[Stat::sends_short].add(1);
    progress_tick_ = worker_.tick();
    touch();
  }

  void stop_sending() noexcept {
    if (!sending_ || cancel_send_.armed() || send_found_) return;
    if (zero_copy_ != nullptr) {
      cancel_send_.start(worker_.ring(), zero_copy_->send);
    } else {
      cancel_send_.start(worker_.ring(), send_);
    }
  }

  void on_cancel_send(Cqe cqe) noexcept {
    send_found_ = cqe.res == 0;
    worker_.mark_ready(*this);
  }

  // --- closing ---

  // TCP has ended it. Not told apart by the error: a send with MSG_WAITALL that was partly done
  // reports its bytes, and the -ETIMEDOUT is gone; the next one gets -EPIPE.
  void abort_broken() noexcept {
    if (phase_ != Phase::aborting) worker_.stats()[Stat::tcp_ended].add(1);
    abort();
  }

  void abort() noexcept {
    phase_ = Phase::aborting;
    worker_.mark_ready(*this);
  }

  // An operation in flight keeps a closed slot's file open, so the results come first.
  // Notifications do not: a peer that is gone may owe them until TCP gives up.
  void close_join() noexcept {
    if (recv_.armed() || sending_ || cancel_recv_.armed() || cancel_send_.armed()) return;
    if (close_.armed()) return;
    outbox_.clear();
    if (!slot_closed_) {
      close();
    } else if (notifications_due_ == 0) {
      worker_.release(*this);
    }
  }

  // A reset drops what the peer does not read, and brings the notifications at once. The two SQEs
  // are one chain, hard-linked: the slot is closed even where the option fails. Source:
  // io_uring_prep_cmd_sock(3), Linux 6.7. Where a closed slot keeps its file, the reset comes when
  // the file goes; everybody else is told at once by a shutdown.
  void close() noexcept {
    if (reset_ && worker_.can_reset()) {
      static linger reset{.l_onoff = 1, .l_linger = 0};
      Ring& ring = worker_.ring();
      ring.reserve(2);
      io_uring_sqe* sqe = ring.sqe();
      io_uring_prep_cmd_sock(sqe, SOCKET_URING_OP_SETSOCKOPT, index(slot_), SOL_SOCKET, SO_LINGER,
                             &reset, sizeof reset);
      sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
      ring.submit_unowned(sqe);
    } else {
      worker_.prepare_close(slot_);
    }
    close_.start(worker_.ring(), slot_);
  }

  void on_close(Cqe) noexcept {
    slot_closed_ = true;
    worker_.on_slot_closed();
    worker_.mark_ready(*this);
  }

  // Once a tick at most: the list by age need not be finer.
  void touch() noexcept {
    if (activity_tick_ == worker_.tick()) return;
    activity_tick_ = worker_.tick();
    worker_.move_to_youngest(*this);
  }

  Worker<Protocol>& worker_;
  FileSlot slot_;
  std::uint32_t activity_tick_ = 0;
  Phase phase_ = Phase::open;
  Receiving receiving_ = Receiving::paused;
  bool multishot_ = false;    ///< the receive in flight is one
  bool polling_ = false;      ///< True while recv_ carries the poll of a gated receive
  bool unread_ = false;       ///< the socket held more than the last receive took
  bool refused_ = false;      ///< the last receive found no buffer: the next one waits for its turn
  bool rested_ = false;       ///< so it was at the last look, and no receive has begun since
  bool pause_noted_ = false;  ///< the pause that lasts is in the statistics
  bool sending_ = false;      ///< True while a send's result is due
  bool zero_copy_works_ = true;  ///< False once a zero-copy send failed here
  bool reset_ = false;           ///< the close shall be a reset
  bool slot_closed_ = false;     ///< the slot may belong to somebody else already
  bool recv_found_ = false;      ///< its cancel found the receive: it need not be repeated
  bool send_found_ = false;      ///< the same for the send
  std::uint16_t notifications_due_ = 0;
  std::uint32_t asked_ = 0;          ///< bytes of the send in flight
  std::uint32_t progress_tick_ = 0;  ///< when its sends last moved
  std::uint32_t receiving_since_ = 0;
  LeaseQueue outbox_;
  [[no_unique_address]] Protocol protocol_;
  GatherList* gather_ = nullptr;                 ///< of the send in flight
  ZeroCopySend<Protocol>* zero_copy_ = nullptr;  ///< whose result is due
  Bind<RecvMultishot, &Connection::on_recv> recv_{*this};
  Bind<Send, &Connection::on_send> send_{*this};
  Bind<Cancel, &Connection::on_cancel_recv> cancel_recv_{*this};
  Bind<Cancel, &Connection::on_cancel_send> cancel_send_{*this};
  Bind<CloseSlot, &Connection::on_close> close_{*this};
};

}  // namespace lab
