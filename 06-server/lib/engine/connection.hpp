// One client: a receiver, a sender, a protocol between them, and the join that ends it. To its
// protocol it is the Io of protocol.hpp.
//
// Handlers only take note; advance() decides what follows, once per batch of completions. Lifetime:
// from Worker::adopt until results, slot and notifications of zero-copy sends are home, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "06-server/lib/engine/admission.hpp"
#include "06-server/lib/engine/buffer_holder.hpp"
#include "06-server/lib/engine/file_reader.hpp"
#include "06-server/lib/engine/inbox.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/engine/lingering.hpp"
#include "06-server/lib/engine/pair.hpp"
#include "06-server/lib/engine/phase.hpp"
#include "06-server/lib/engine/protocol_side.hpp"
#include "06-server/lib/engine/receiver.hpp"
#include "06-server/lib/engine/sender.hpp"
#include "06-server/lib/engine/slot_closer.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

template <class P>
class Commons;

/// P: a Protocol. One thread's alone, and in one place from its first moment to its last.
template <class P>
class alignas(64) Connection : public Receiver<Connection<P>>,
                               public Sender<Connection<P>>,
                               public SlotCloser<Connection<P>>,
                               public Admission<Connection<P>>,
                               public FileReader<Connection<P>, P::uses_buffers>,
                               public Inbox<Connection<P>, P::uses_buffers>,
                               public Lingering<Connection<P>, P::uses_buffers>,
                               public BufferHolder<Connection<P>, P::uses_buffers>,
                               public Pair<Connection<P>, dials_out<P>>,
                               public ProtocolSide<Connection<P>, P> {
  using Phase = ConnectionPhase;
  friend class ProtocolSide<Connection, P>;

 public:
  using Sending = Sender<Connection>;  ///< for those who ask about this half alone
  /// @param slot nothing: it is dialled, and has none yet
  Connection(Commons<P>& commons, std::optional<FileSlot> slot) noexcept
      : Sending(commons.segment_nodes()),
        SlotCloser<Connection>(slot),
        Inbox<Connection, P::uses_buffers>(commons.segment_nodes()),
        phase_(slot ? Phase::open : Phase::dialling),
        activity_tick_(commons.tick()),
        commons_(commons),
        protocol_(commons.shared()) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The slot is ours: begins to receive.
  void opened() noexcept {
    phase_ = Phase::open;
    commons_.mark_ready(*this);
    if constexpr (dials_out<P>) {
      if (this->dialled()) return protocol_.on_connected(*this);
    }
    protocol_.on_open(*this);
  }

  /// Decides what happens next. Called once after each batch in which something happened here; it
  /// may end with this object's death.
  void advance() noexcept {
    switch (phase_) {
      case Phase::dialling:
        break;
      case Phase::open:
        this->turn();
        if (this->lost() && !this->anything_unread()) return this->abort_broken();
        this->send_next();
        this->send_fin();
        this->steer_receiving();
        break;
      case Phase::finishing:
        this->stop_receiving();
        this->turn();
        // It is lost already: whoever takes nothing of the rest is not waited for.
        if (this->wants_reset() && !this->peer_takes()) return abort();
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

  /// See Io. After the abort, and while it lingers, they are dropped.
  void send(Segment bytes) noexcept {
    if (bytes.empty() || phase_ == Phase::aborting || phase_ == Phase::lingering) return;
    this->note_holding();
    this->outbox_.push(std::move(bytes));
  }
  ClientAddress peer() const noexcept { return commons_.peer(this->slot()); }  ///< see Io
  /// What is queued is sent; then the peer gets a reset, where the kernel can (6.7).
  void finish_with_reset() noexcept {
    this->want_reset();
    this->finish(Finish::close);
  }

  // --- what its worker asks and tells ---

  /// It is dialled, and the answer is not there yet.
  bool dialling() const noexcept { return phase_ == Phase::dialling; }
  /// Nothing is on the way to the peer, and its protocol has nothing to do.
  bool quiet() const noexcept { return nothing_moves() && this->pair_is_quiet(); }
  /// The same of this one alone: the other one of its pair may have something.
  bool nothing_moves() const noexcept {
    return this->all_sent() && !this->reads() && !this->unread_is_due() && protocol_.idle();
  }

  // --- what its halves need ---

  Commons<P>& commons() noexcept { return commons_; }  ///< of its worker; outlives it
  const Commons<P>& commons() const noexcept { return commons_; }
  /// Receive buffers that are not home because of what it received.
  std::uint32_t held() const noexcept {
    return this->passed_on() + this->unread_buffers() + protocol_.leases();
  }

  /// TCP has ended it; what came before is passed on first.
  void on_tcp_error() noexcept {
    if (!this->outlives_error()) this->abort_broken();
  }

 private:
  void abort() noexcept {
    if (phase_ != Phase::aborting && !this->turned_away()) protocol_.on_abort();
    phase_ = Phase::aborting;
    this->close_inbox();
    this->lose_other();
    commons_.mark_ready(*this);
  }

  // Its protocol had its turn and left nothing to send, to read or to wait for.
  bool answered() const noexcept {
    return this->outbox_empty() && !this->reads() && !this->unread_is_due() &&
           !commons_.waits_for_pooled(*this);
  }
  // Nothing but time may end what it waits for.
  bool looks_again() const noexcept { return phase_ == Phase::lingering || this->wants_reset(); }
  void end() noexcept {
    if (!this->lingers() || this->peer_ended()) return close_join();
    if (!this->receive_joined() || !this->results_joined()) return;
    phase_ = Phase::lingering;
    this->begin_to_linger();
    linger_on();
  }

  void linger_on() noexcept {
    const std::uint32_t left = this->linger_bytes_left();
    if (left > 0 && !this->peer_ended()) {
      if (this->receive_joined()) this->discard(left);
      return;
    }
    this->stop_receiving();
    close_join();
  }

  // An operation in flight keeps a closed slot's file open, so the results come first.
  // Notifications do not: a peer that is gone may owe them until TCP gives up.
  void close_join() noexcept {
    this->stop_pair();
    if (!this->receive_joined() || !this->results_joined() || this->closes()) return;
    if (this->reads() || this->fin_in_flight() || !protocol_.at_rest()) return;
    if (!this->pair_joined()) return;
    this->outbox_.clear();
    this->close_inbox();
    commons_.leave_pooled(*this);
    if (!this->slot_closed()) {
      this->close();
    } else if (this->notifications_joined()) {
      commons_.release(*this);
    }
  }

  // The small ones first: they have room in the tail of SlotCloser.
  Phase phase_;

 public:
  bool ready = false;  ///< exactly while it is in the list of those to advance

 private:
  std::uint32_t activity_tick_;
  Commons<P>& commons_;
  [[no_unique_address]] P protocol_;

 public:
  Connection* ready_next = nullptr;  ///< in the worker's list of connections to advance
  ListLink<Connection> age_link;     ///< in the worker's list by last activity, always
  /// In the worker's waiting list, exactly while it waits for a buffer; where receives are renewed,
  /// in the list of those in flight, exactly while one is.
  ListLink<Connection> receiving_link;
};

}  // namespace lab
