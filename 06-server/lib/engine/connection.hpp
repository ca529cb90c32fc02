// One client: a receiver, a sender, a protocol between them, and the join that ends it.
//
// Handlers only take note of what happened; advance() decides what follows, once per batch of
// completions. Lifetime: from Worker::adopt until nothing is due on it: results first, then the
// slot, then the notifications of zero-copy sends. It never frees itself earlier, whatever its peer
// does.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <utility>

#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/engine/receiver.hpp"
#include "06-server/lib/engine/sender.hpp"

namespace lab {

template <class Protocol>
class Worker;

template <class Protocol>
class alignas(64) Connection : public Receiver<Connection<Protocol>>,
                               public Sender<Connection<Protocol>> {
  using Sending = Sender<Connection>;

  enum class Phase : std::uint8_t {
    open,
    finishing,  ///< nothing more is wanted from the peer; what has come is sent, then it closes
    aborting    ///< nothing more is sent either
  };

 public:
  Connection(Worker<Protocol>& worker, FileSlot slot) noexcept
      : Sending(worker.lease_pool()), slot_(slot), worker_(worker) {}
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
        this->send_next();
        this->steer_receiving();
        break;
      case Phase::finishing:
        this->stop_receiving();
        this->send_next();
        if (this->outbox_empty()) close_join();
        break;
      case Phase::aborting:
        this->stop_receiving();
        this->stop_sending();
        close_join();
        break;
    }
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

  /// True while it holds buffers for a peer that takes nothing: since when, see stuck_since().
  bool stuck() const noexcept { return !aborting() && !slot_closed_ && this->sends(); }
  std::uint32_t last_activity() const noexcept { return activity_tick_; }
  bool open() const noexcept { return phase_ == Phase::open; }
  bool aborting() const noexcept { return phase_ == Phase::aborting; }

  // --- what its halves need ---

  Worker<Protocol>& worker() noexcept { return worker_; }
  const Worker<Protocol>& worker() const noexcept { return worker_; }
  FileSlot slot() const noexcept { return slot_; }

  void on_received(BufferLease bytes) noexcept {
    touch();
    protocol_.on_bytes(std::move(bytes), this->outbox_);
  }

  /// The peer's FIN.
  void on_end() noexcept {
    if (phase_ == Phase::open) phase_ = Phase::finishing;
  }

  /// TCP has ended it. Not told apart by the error: after one operation has reported -ETIMEDOUT the
  /// next one gets -EPIPE.
  void abort_broken() noexcept {
    if (phase_ != Phase::aborting) worker_.stats()[Stat::tcp_ended].add(1);
    abort();
  }

  /// Something moved. Once a tick at most: the list by age need not be finer.
  void touch() noexcept {
    if (activity_tick_ == worker_.tick()) return;
    activity_tick_ = worker_.tick();
    worker_.move_to_youngest(*this);
  }

 private:
  void abort() noexcept {
    phase_ = Phase::aborting;
    worker_.mark_ready(*this);
  }

  // An operation in flight keeps a closed slot's file open, so the results come first.
  // Notifications do not: a peer that is gone may owe them until TCP gives up.
  void close_join() noexcept {
    if (!this->receive_joined() || !this->results_joined() || close_.armed()) return;
    this->outbox_.clear();
    if (!slot_closed_) {
      close();
    } else if (this->notifications_joined()) {
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

  // The small ones first: they have room in the tail of Sender.
  Phase phase_ = Phase::open;
  bool reset_ = false;        ///< the close shall be a reset
  bool slot_closed_ = false;  ///< the slot may belong to somebody else already

 public:
  bool ready = false;

 private:
  FileSlot slot_;
  std::uint32_t activity_tick_ = 0;
  Worker<Protocol>& worker_;
  [[no_unique_address]] Protocol protocol_;
  Bind<CloseSlot, &Connection::on_close> close_{*this};

 public:
  Connection* ready_next = nullptr;  ///< in the worker's list of connections to advance
  ListLink<Connection> age_link;     ///< in the worker's list by last activity, always
  /// In the worker's waiting list, exactly while it waits for a buffer; where receives are renewed,
  /// in the list of those in flight, exactly while one is.
  ListLink<Connection> receiving_link;
};

}  // namespace lab
