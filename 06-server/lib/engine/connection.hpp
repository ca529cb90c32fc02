// One client: a receiver, a sender, a protocol between them, and the join that ends it. To its
// protocol it is the Io of protocol.hpp.
//
// Handlers only take note of what happened; advance() decides what follows, once per batch of
// completions. Lifetime: from Worker::adopt until nothing is due on it: results first, then the
// slot, then the notifications of zero-copy sends. It never frees itself earlier, whatever its peer
// does.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "06-server/lib/engine/buffer_line.hpp"
#include "06-server/lib/engine/file_reader.hpp"
#include "06-server/lib/engine/inbox.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/engine/lingering.hpp"
#include "06-server/lib/engine/receiver.hpp"
#include "06-server/lib/engine/sender.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

template <class P>
class Worker;

template <class P>
class alignas(64) Connection : public Receiver<Connection<P>>,
                               public Sender<Connection<P>>,
                               public FileReader<Connection<P>, P::uses_buffers>,
                               public Inbox<Connection<P>, P::uses_buffers>,
                               public Lingering<Connection<P>, P::uses_buffers>,
                               public BufferLinePlace<Connection<P>, P::uses_buffers> {
  using Sending = Sender<Connection>;

  enum class Phase : std::uint8_t {
    open,
    finishing,  ///< nothing more is wanted from the peer; what has come is sent, then it closes
    lingering,  ///< all is sent, and FIN; what still comes is thrown away
    aborting    ///< nothing more is sent either
  };

 public:
  Connection(Worker<P>& worker, FileSlot slot) noexcept
      : Sending(worker.segment_nodes()),
        Inbox<Connection, P::uses_buffers>(worker.segment_nodes()),
        slot_(slot),
        worker_(worker),
        protocol_(worker.shared()) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The slot is ours: begins to receive.
  void opened() noexcept {
    activity_tick_ = worker_.tick();
    worker_.mark_ready(*this);
    protocol_.on_open(*this);
  }

  /// Decides what happens next. Called once after each batch in which something happened here; it
  /// may end with this object's death.
  void advance() noexcept {
    switch (phase_) {
      case Phase::open:
        turn();
        this->send_next();
        this->steer_receiving();
        break;
      case Phase::finishing:
        this->stop_receiving();
        turn();
        this->send_next();
        if (answered()) end();
        break;
      case Phase::lingering:
        linger_on();
        break;
      case Phase::aborting:
        this->stop_receiving();
        this->stop_sending();
        close_join();
        break;
    }
  }

  // --- what its protocol calls: the Io ---

  void send(Segment bytes) noexcept {
    if (bytes.empty() || phase_ == Phase::aborting || phase_ == Phase::lingering) return;
    note_holding();
    this->outbox_.push(std::move(bytes));
  }
  PooledBuffer take_buffer() noexcept {
    static_assert(P::uses_buffers);
    // Its own share: sending it brings the next turn.
    if (this->outbox_.pooled() >= worker_.pooled_cap()) return {};
    return worker_.take_pooled(*this);
  }
  bool read_file(const FileRange& range) noexcept {
    PooledBuffer buffer = take_buffer();
    if (!buffer) return false;
    this->read_piece(range, std::move(buffer));
    return true;
  }
  void receive(Receive what) noexcept {
    static_assert(P::uses_buffers);
    this->want_bytes(what == Receive::on);
  }
  void unread(Segment bytes) noexcept {
    static_assert(P::uses_buffers);
    this->want_bytes(false);
    if (!bytes.empty()) this->inbox_.push_front(std::move(bytes));
  }
  std::uint32_t tick() const noexcept { return worker_.tick(); }
  Waker waker() noexcept {
    return {this, [](void* connection) noexcept {
              auto& self = *static_cast<Connection*>(connection);
              self.worker_.mark_ready(self);
            }};
  }

  void finish(Finish how) noexcept {
    if (phase_ == Phase::open) phase_ = Phase::finishing;
    if constexpr (P::uses_buffers) {
      this->close_inbox();
      if (how == Finish::linger) this->want_to_linger();
    }
    worker_.mark_ready(*this);
  }

  /// Everything is dropped and the peer gets a reset, where the kernel can (6.7); else TCP's
  /// timeout ends it.
  void reset() noexcept {
    reset_ = true;
    abort();
  }

  // --- what its worker asks and tells ---

  /// No more is received; what has come is answered, then the connection closes.
  void wind_up() noexcept {
    if (phase_ != Phase::open) return;
    phase_ = Phase::finishing;
    worker_.mark_ready(*this);
  }

  void drain() noexcept {
    if (phase_ != Phase::open) return;
    protocol_.on_drain(*this);
    worker_.mark_ready(*this);
  }
  /// Once a second: somebody's time may be over.
  void check_deadline() noexcept {
    const std::uint32_t deadline = protocol_.deadline();
    const bool over =
        deadline != no_deadline && static_cast<std::int32_t>(worker_.tick() - deadline) >= 0;
    if (over || phase_ == Phase::lingering) worker_.mark_ready(*this);
  }

  /// True while it holds buffers for a peer that takes nothing: since when, see stuck_since().
  bool stuck() const noexcept { return !aborting() && !slot_closed_ && this->holds_up(); }
  /// Since when it has held the same pooled buffer, or received bytes unread, whatever its peer
  /// takes. Who only waits for a pooled buffer to answer with is not in the way.
  std::optional<std::uint32_t> holds_since() const noexcept {
    if constexpr (P::uses_buffers) {
      const bool holds = this->holds_pooled_buffers() ||
                         (this->anything_unread() && !worker_.waits_for_pooled(*this));
      if (holds && !aborting() && !slot_closed_) return this->buffer_held_since;
    }
    return {};
  }
  std::uint32_t last_activity() const noexcept { return activity_tick_; }
  bool open() const noexcept { return phase_ == Phase::open; }
  bool aborting() const noexcept { return phase_ == Phase::aborting; }
  /// Nothing is on the way to the peer, and its protocol has nothing to do.
  bool quiet() const noexcept {
    return this->all_sent() && !this->reads() && !this->anything_unread() && protocol_.idle();
  }

  // --- what its halves need ---

  Worker<P>& worker() noexcept { return worker_; }
  const Worker<P>& worker() const noexcept { return worker_; }
  FileSlot slot() const noexcept { return slot_; }
  /// Receive buffers that are not home because of it.
  std::uint32_t held() const noexcept {
    return Sending::held() + this->unread_buffers() + protocol_.leases();
  }

  void on_received(BufferLease bytes) noexcept {
    touch();
    Segment segment = worker_.received().segment(std::move(bytes));
    if constexpr (P::uses_buffers) {
      note_holding();
      this->inbox_.push(std::move(segment));  // they come in turn()
    } else {
      protocol_.on_bytes(*this, std::move(segment));
    }
  }

  /// A buffer that it held has left it.
  void on_buffer_home() noexcept {
    if constexpr (P::uses_buffers) this->buffer_held_since = worker_.tick();
  }

  void on_discarded([[maybe_unused]] std::uint32_t bytes) noexcept {
    if constexpr (P::uses_buffers) this->count_discarded(bytes);
  }

  /// The peer's FIN.
  void on_end() noexcept {
    if constexpr (P::uses_buffers) {
      this->end_due_ = true;
    } else {
      if (phase_ == Phase::open) protocol_.on_end(*this);
    }
  }

  void on_piece(Segment bytes) noexcept {
    if (phase_ == Phase::open || phase_ == Phase::finishing) {
      protocol_.on_file(*this, std::move(bytes));
    }
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
    if (phase_ != Phase::aborting) protocol_.on_abort();
    phase_ = Phase::aborting;
    worker_.mark_ready(*this);
  }

  void note_holding() noexcept {
    if constexpr (P::uses_buffers) {
      if (!this->holds_pooled_buffers() && !this->anything_unread()) on_buffer_home();
    }
  }

  // The turn of its protocol: first what happened, then what has come, in order, then the end.
  void turn() noexcept {
    protocol_.on_turn(*this);
    if constexpr (P::uses_buffers) {
      while (this->takes_bytes()) {
        on_buffer_home();
        protocol_.on_bytes(*this, this->inbox_.pop());
      }
      if (this->takes_end()) protocol_.on_end(*this);
    }
  }

  // Its protocol had its turn and left nothing to send, to read or to wait for.
  bool answered() const noexcept {
    return this->outbox_empty() && !this->reads() && !this->anything_unread() &&
           !worker_.waits_for_pooled(*this);
  }

  void end() noexcept {
    if constexpr (P::uses_buffers) {
      if (this->lingers() && !this->peer_ended()) {
        if (!this->receive_joined() || !this->results_joined()) return;
        phase_ = Phase::lingering;
        this->begin_to_linger();
        linger_on();
        return;
      }
    }
    close_join();
  }

  void linger_on() noexcept {
    if constexpr (P::uses_buffers) {
      const std::uint32_t left = this->linger_bytes_left();
      if (left > 0 && !this->peer_ended()) {
        if (this->receive_joined()) this->discard(left);
        return;
      }
      this->stop_receiving();
      close_join();
    }
  }

  // An operation in flight keeps a closed slot's file open, so the results come first.
  // Notifications do not: a peer that is gone may owe them until TCP gives up.
  void close_join() noexcept {
    if (!this->receive_joined() || !this->results_joined() || close_.armed()) return;
    if (this->reads() || this->fin_in_flight() || !protocol_.at_rest()) return;
    this->outbox_.clear();
    this->close_inbox();
    worker_.leave_pooled(*this);
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
  Worker<P>& worker_;
  [[no_unique_address]] P protocol_;
  Bind<CloseSlot, &Connection::on_close> close_{*this};

 public:
  Connection* ready_next = nullptr;  ///< in the worker's list of connections to advance
  ListLink<Connection> age_link;     ///< in the worker's list by last activity, always
  /// In the worker's waiting list, exactly while it waits for a buffer; where receives are renewed,
  /// in the list of those in flight, exactly while one is.
  ListLink<Connection> receiving_link;
};

}  // namespace lab
