// One client on libuv: a receiver, a sender, a protocol between them, and the join that ends it. To
// its protocol it is the Io of protocol.hpp, with the promises of engine/connection.hpp.
//
// Callbacks only take note of what happened; advance() decides what follows, once per turn of the
// loop. Lifetime: from PortableWorker::adopt until its handle was closed, no file is read for it,
// and its protocol is at rest.
#pragma once

#include <unistd.h>
#include <uv.h>

#include <cstdint>
#include <utility>

#include "02-files/lib/file_table.hpp"
#include "06-server/lib/engine/admission.hpp"
#include "06-server/lib/engine/buffer_holder.hpp"
#include "06-server/lib/engine/inbox.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/engine/phase.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/limits/refused.hpp"
#include "06-server/lib/portable/uv_closer.hpp"
#include "06-server/lib/portable/uv_file_reader.hpp"
#include "06-server/lib/portable/uv_loop.hpp"
#include "06-server/lib/portable/uv_receiver.hpp"
#include "06-server/lib/portable/uv_sender.hpp"
#include "06-server/lib/portable/uv_socket.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

template <class P>
class PortableCommons;

/// P: a Protocol that does not dial out.
template <class P>
class PortableConnection : public UvReceiver<PortableConnection<P>>,
                           public UvSender<PortableConnection<P>>,
                           public UvFileReader<PortableConnection<P>, P::uses_buffers>,
                           public UvCloser<PortableConnection<P>>,
                           public Admission<PortableConnection<P>>,
                           public Inbox<PortableConnection<P>, P::uses_buffers>,
                           public BufferHolder<PortableConnection<P>, P::uses_buffers> {
  using Phase = ConnectionPhase;
  static_assert(!dials_out<P>, "serve() refuses it: connections are dialled by io_uring alone");

 public:
  using Sending = UvSender<PortableConnection>;  ///< for those who ask about this half alone

  /// @param peer where the client is, or ::.
  PortableConnection(PortableCommons<P>& commons, const ClientAddress& peer) noexcept
      : Sending(commons.segment_nodes()),
        Inbox<PortableConnection, P::uses_buffers>(commons.segment_nodes()),
        commons_(commons),
        peer_(peer),
        protocol_(commons.shared()) {}
  PortableConnection(const PortableConnection&) = delete;
  PortableConnection& operator=(const PortableConnection&) = delete;

  /// The socket is ours, also where this fails. opened() or turn_away() follows.
  /// @param fd it does not block
  /// @return false: libuv does not take it, and the connection ends
  bool open(int fd) noexcept {
    activity_tick_ = commons_.tick();
    commons_.mark_ready(*this);
    uv_tcp_init(commons_.loop().raw(), &tcp_);
    tcp_.data = this;
    if (uv_tcp_open(&tcp_, fd) < 0) {
      ::close(fd);
      phase_ = Phase::aborting;
      return false;
    }
    return true;
  }
  /// It begins to serve.
  void opened() noexcept { protocol_.on_open(*this); }
  /// A limit keeps its client out.
  void turn_away(Refused why) noexcept {
    if constexpr (requires { P::refusal(why); }) send(Segment::stable(P::refusal(why)));
    finish(this->begin_to_turn_away() ? Finish::linger : Finish::close);
  }

  /// Decides what happens next. Called once after each turn in which something happened here; it
  /// may end with this object's death.
  void advance() noexcept {
    if (this->closing()) return close_join();
    switch (phase_) {
      case Phase::dialling:  // never
        break;
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
        close_join();
        break;
    }
  }

  // --- what its protocol calls: the Io ---

  /// See Io, as all of these.
  void send(Segment bytes) noexcept {
    if (bytes.empty() || this->closing()) return;
    if (phase_ == Phase::aborting || phase_ == Phase::lingering) return;
    this->note_holding();
    this->outbox_.push(std::move(bytes));
  }
  /// None: its share is out, or it waits in line.
  PooledBuffer take_buffer() noexcept {
    // Its own share: sending it brings the next turn.
    if (this->outbox_.pooled() >= commons_.pooled_cap()) return {};
    this->note_holding();
    return commons_.take_pooled(*this);
  }
  std::uint32_t tick() const noexcept { return commons_.tick(); }  ///< in steps of protocol_tick_ms
  ClientAddress peer() const noexcept { return peer_; }  ///< where it is; :: where nobody asked
  /// Of this connection.
  Waker waker() noexcept {
    return {this, [](void* connection) noexcept {
              auto& self = *static_cast<PortableConnection*>(connection);
              self.commons_.mark_ready(self);
            }};
  }
  /// What is queued is sent, then it ends.
  void finish(Finish how) noexcept {
    if (phase_ == Phase::open) phase_ = Phase::finishing;
    this->want_bytes(false);
    this->close_inbox();
    if (how == Finish::linger) this->want_to_linger();
    commons_.mark_ready(*this);
  }
  /// Everything is dropped and the peer gets a reset.
  void reset() noexcept {
    this->want_reset();
    abort();
  }

  // --- what its worker asks and tells ---

  /// No more is received; what has come is answered, then the connection closes. What its protocol
  /// does not want is thrown away: closing over it would be a reset.
  void wind_up() noexcept {
    if (phase_ != Phase::open) return;
    phase_ = Phase::finishing;
    if (!this->wants_bytes()) this->want_to_linger();
    protocol_.on_wind_up(*this);
    commons_.mark_ready(*this);
  }
  /// The server ends: nothing new is begun.
  void drain() noexcept {
    if (phase_ != Phase::open) return;
    protocol_.on_drain(*this);
    commons_.mark_ready(*this);
  }
  /// Once a second: somebody's time may be over.
  void check_deadline() noexcept {
    const std::uint32_t deadline = protocol_.deadline();
    const auto late = static_cast<std::int32_t>(commons_.tick() - deadline);
    const bool over = deadline != no_deadline && late >= 0;
    if (over || phase_ == Phase::lingering) commons_.mark_ready(*this);
  }
  /// True while it holds buffers for a peer that takes nothing: since when, see stuck_since().
  bool stuck() const noexcept { return !aborting() && !this->closing() && this->holds_up(); }
  std::uint32_t last_activity() const noexcept { return activity_tick_; }  ///< tick
  bool open() const noexcept { return phase_ == Phase::open; }  ///< nothing has begun to end it
  bool aborting() const noexcept { return phase_ == Phase::aborting; }  ///< nothing more is sent
  /// Nothing is on the way to the peer, and its protocol has nothing to do.
  bool quiet() const noexcept {
    return this->all_sent() && !this->reads_file() && !this->unread_is_due() && protocol_.idle();
  }
  /// Its socket has room for an answer.
  bool takes_answers() const noexcept { return is_writable(stream()); }

  // --- what its parts need ---

  PortableCommons<P>& commons() noexcept { return commons_; }  ///< of its worker
  const PortableCommons<P>& commons() const noexcept { return commons_; }
  /// Libuv's name for its socket.
  uv_stream_t* stream() noexcept { return reinterpret_cast<uv_stream_t*>(&tcp_); }
  const uv_stream_t* stream() const noexcept { return reinterpret_cast<const uv_stream_t*>(&tcp_); }
  /// Receive buffers that are not home because of it.
  std::uint32_t held() const noexcept {
    return Sending::held() + this->unread_buffers() + protocol_.leases();
  }
  /// Of its protocol.
  bool keeps_pooled_buffers() const noexcept { return protocol_.buffers() > 0; }
  /// Buffers that its protocol has not let go.
  bool keeps_received() const noexcept { return this->anything_unread() || protocol_.leases() > 0; }
  /// Its descriptor may be somebody else's.
  bool slot_closed() const noexcept { return this->closing(); }
  /// Its descriptor: what the limits know it by. REQUIRES: open() took the socket, and it is not
  /// closing.
  FileSlot slot() const noexcept { return static_cast<FileSlot>(descriptor_of(stream())); }

  void on_received(Segment bytes) noexcept {
    touch();
    if constexpr (P::uses_buffers) {
      this->note_holding();
      this->inbox_.push(std::move(bytes));  // they come in turn()
    } else if (this->wants_bytes()) {
      protocol_.on_bytes(*this, std::move(bytes));
    }
  }
  /// The peer's FIN.
  void on_end() noexcept {
    if (!this->keep_end() && phase_ == Phase::open) protocol_.on_end(*this);
  }
  void on_piece(Segment bytes) noexcept {
    if (!this->closing() && (phase_ == Phase::open || phase_ == Phase::finishing)) {
      protocol_.on_file(*this, std::move(bytes));
    }
  }
  /// TCP has ended it.
  void abort_broken() noexcept {
    if (phase_ != Phase::aborting) commons_.stats()[Stat::tcp_ended].add(1);
    abort();
  }
  /// Something moved. Once a tick at most: the list by age need not be finer.
  void touch() noexcept {
    if (activity_tick_ == commons_.tick()) return;
    activity_tick_ = commons_.tick();
    commons_.move_to_youngest(*this);
  }

 private:
  void abort() noexcept {
    if (phase_ != Phase::aborting && !this->turned_away()) protocol_.on_abort();
    phase_ = Phase::aborting;
    this->stop_receiving();
    this->close_inbox();
    commons_.mark_ready(*this);
  }

  // The turn of its protocol: first what happened, then what has come, in order, then the end.
  void turn() noexcept {
    if (this->turned_away()) return;
    protocol_.on_turn(*this);
    this->hand_on(protocol_);
  }

  // Its protocol had its turn and left nothing to send, to read or to wait for.
  bool answered() const noexcept {
    return phase_ == Phase::finishing && this->all_sent() && !this->reads_file() &&
           !this->unread_is_due() && !commons_.waits_for_pooled(*this);
  }
  void end() noexcept {
    if (!this->lingers() || this->peer_ended()) return close_join();
    phase_ = Phase::lingering;
    this->send_fin();
    this->discard();
  }
  void linger_on() noexcept {
    if (this->lingered_enough() || this->peer_ended()) close_join();
  }

  // libuv gives back what is being written when the handle is closed; a file that is read for it is
  // waited for.
  void close_join() noexcept {
    if (!this->closing()) {
      this->stop_receiving();
      this->close_inbox();
      commons_.leave_pooled(*this);
      if (descriptor_of(stream()) >= 0) commons_.leaves(slot());
      this->close();
    }
    if (!this->closed()) return;
    this->outbox_.clear();
    commons_.leave_pooled(*this);
    if (!this->reads_file() && protocol_.at_rest()) commons_.release(*this);
  }

  uv_tcp_t tcp_;
  PortableCommons<P>& commons_;
  const ClientAddress peer_;
  [[no_unique_address]] P protocol_;
  std::uint32_t activity_tick_ = 0;
  Phase phase_ = Phase::open;

 public:
  bool ready = false;                           ///< in the list of those to advance
  PortableConnection* ready_next = nullptr;     ///< in the worker's list of connections to advance
  ListLink<PortableConnection> age_link;        ///< in the worker's list by last activity, always
  ListLink<PortableConnection> receiving_link;  ///< in its waiting list, while it waits
  ListLink<PortableConnection> later_link;      ///< in the list for the next turn of the loop
};

}  // namespace lab
