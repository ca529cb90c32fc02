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
#include "06-server/lib/engine/protocol_side.hpp"
#include "06-server/lib/limits/client_address.hpp"
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
                           public BufferHolder<PortableConnection<P>, P::uses_buffers>,
                           public ProtocolSide<PortableConnection<P>, P> {
  using Phase = ConnectionPhase;
  friend class ProtocolSide<PortableConnection, P>;
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
  bool take_socket(int fd) noexcept {
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
  /// Decides what happens next. Called once after each turn in which something happened here; it
  /// may end with this object's death.
  void advance() noexcept {
    if (this->closing()) return close_join();
    switch (phase_) {
      case Phase::dialling:  // never
        break;
      case Phase::open:
        this->turn();
        this->send_next();
        this->steer_receiving();
        break;
      case Phase::finishing:
        this->stop_receiving();
        this->turn();
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
  ClientAddress peer() const noexcept { return peer_; }  ///< where it is; :: where nobody asked

  // --- what its worker asks ---

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
  /// Its descriptor may be somebody else's.
  bool slot_closed() const noexcept { return this->closing(); }
  /// Its descriptor: what the limits know it by. REQUIRES: take_socket() took it, and it is not
  /// closing.
  FileSlot slot() const noexcept { return static_cast<FileSlot>(descriptor_of(stream())); }

 private:
  void abort() noexcept {
    if (phase_ != Phase::aborting && !this->turned_away()) protocol_.on_abort();
    phase_ = Phase::aborting;
    this->stop_receiving();
    this->close_inbox();
    commons_.mark_ready(*this);
  }

  // Its protocol had its turn and left nothing to send, to read or to wait for.
  bool answered() const noexcept {
    return phase_ == Phase::finishing && this->all_sent() && !this->reads_file() &&
           !this->unread_is_due() && !commons_.waits_for_pooled(*this);
  }
  // Nobody has dialled for it.
  void finish_other() noexcept {}
  // Nothing but time may end what it waits for.
  bool looks_again() const noexcept { return phase_ == Phase::lingering; }
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
