// The receiving half of a connection: when it receives, how much at a time, and how it stops.
//
// Lifetime: a base of its connection, which is not freed while recv_ or its cancel is armed
// (receive_joined()). Rule: at most one receive is in flight, and what arrives is kept whatever was
// asked for in the meantime.
#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/features.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// Connection derives from it and has: commons(), slot(), open(), aborting(), quiet(), held(),
/// paced(), relays(), ask_sink(), sink(), whose all_sent() and outbox_empty() it asks,
/// on_received(segment), count_discarded(bytes), on_end(), on_tcp_error(),
/// abort_broken(), receiving_link.
template <class Connection>
class Receiver {
 public:
  /// Its turn in the waiting list came: a buffer is there for it.
  /// @param bytes_max while buffers are scarce, how much of the buffer it may fill; 0: all of it
  void receive_granted(std::uint32_t bytes_max) noexcept {
    LAB_ASSERT(!receive_ended_);
    refused_ = false;
    receive_now(commons().scarce() ? Carries::one_buffer : Carries::multishot, bytes_max);
  }

  /// Where its bytes go there is room: it may wait for a buffer.
  void sink_has_room() noexcept {
    if (recv_.armed() || stopping_ || receive_ended_ || unwanted_ || waits() || self().paced())
      return;
    receiving_since_ = commons().tick();
    commons().wait_for_buffer(self());
  }

  /// Ends the receive in flight and begins another; what arrives in between is kept.
  void renew_receive() noexcept {
    if (recv_.armed() && !stopping_ && self().open()) cancel_receive();
  }

  /// Quiet, and its socket holds nothing that was not received: a receive that has been in flight
  /// since the last look would have taken it. Closing a socket with unread data is a reset, which
  /// overtakes what was sent. One that wants no bytes rests too: its end throws away what there is.
  /// One look a tick.
  bool still_rests() noexcept {
    const bool rested = rested_;
    const bool looks = recv_.armed() ? carries_ != Carries::poll : unwanted_ || receive_ended_;
    rested_ = self().quiet() && looks && !stopping_;
    return rested && rested_;
  }

  /// So it was at the last look.
  bool rested() const noexcept { return rested_; }

  /// Its protocol wants bytes.
  bool wants_bytes() const noexcept { return !unwanted_; }
  /// False pauses the receive at the next steer_receiving(); what still arrives is kept.
  void want_bytes(bool wanted) noexcept { unwanted_ = !wanted; }
  /// The peer has sent more than its last receive took.
  bool more_waits() const noexcept { return unread_; }
  /// The tick at which it began to wait for a buffer; where receives are renewed, or for data.
  std::uint32_t receiving_since() const noexcept { return receiving_since_; }

 protected:
  /// Begins, goes on, pauses, as the buffers allow.
  void steer_receiving() noexcept {
    const bool runs = recv_.armed() && carries_ == Carries::multishot && !stopping_;
    if (runs && commons().over_high_water(self().held())) {
      note_pause();
      cancel_receive();
    }
    // Begun before it had another one: whether this one can send says nothing any more.
    if (recv_.armed() && carries_ == Carries::poll && self().relays() && !stopping_) {
      cancel_receive();
    }
    const bool wanted = !unwanted_ && !self().paced();
    if (!wanted) pause();
    join_cancel();
    if (recv_.armed() || stopping_ || receive_ended_ || !wanted || waits()) return;
    if (may_receive()) {
      begin_receive();
    } else {
      note_pause();
    }
  }

  /// Nothing more is wanted.
  void stop_receiving() noexcept {
    if (waits()) {
      commons().leave_waiting(self());
      receive_ended_ = true;
    } else if (!receive_ended_) {
      cancel_receive();
      join_cancel();
      if (!stopping_) receive_ended_ = true;
    }
  }

  /// Nothing of it is in flight.
  bool receive_joined() const noexcept { return !recv_.armed() && !cancel_recv_.armed(); }
  /// No receive begins any more: the end or an error has come, or stop_receiving() is done.
  bool receive_ended() const noexcept { return receive_ended_; }
  /// The peer's FIN has come, or an error in its place.
  bool peer_ended() const noexcept { return peer_ended_; }

  /// What still comes is thrown away, so many bytes at once. REQUIRES: receive_joined().
  void discard(std::uint32_t bytes_max) noexcept {
    receive_ended_ = false;
    carries_ = Carries::discard;
    note_receive();
    recv_.start_discard(commons().ring(), self().slot(), bytes_max);
  }

 private:
  enum class Carries : std::uint8_t {
    poll,        ///< buffers are scarce: first the socket must be able to take an answer
    one_buffer,  ///< or a bite of one
    multishot,
    discard  ///< what comes is thrown away: the connection lingers
  };

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }
  auto& commons() noexcept { return self().commons(); }
  const auto& commons() const noexcept { return self().commons(); }

  // While nothing is in flight the link can be the waiting list's alone.
  bool waits() const noexcept { return !recv_.armed() && commons().is_waiting(self()); }

  // Once from its beginning to its end. Waiting for one answer to be out is no pause.
  void note_pause() noexcept {
    if (pause_noted_ || commons().below_low_water(self().held())) return;
    pause_noted_ = true;
    commons().stats()[Stat::pauses].add(1);
  }

  // Too early a receive fills the outbox again; while buffers are scarce, one answer must be out
  // before the next question is read.
  bool may_receive() const noexcept {
    const bool one_by_one = commons().scarce() || refused_;
    return commons().below_low_water(self().held()) && (!one_by_one || self().sink().all_sent());
  }

  // What is on its way still comes.
  void pause() noexcept {
    if (waits()) commons().leave_waiting(self());
    if (recv_.armed() && carries_ != Carries::one_buffer && !stopping_) cancel_receive();
  }

  void begin_receive() noexcept {
    pause_noted_ = false;
    if ((commons().scarce() || refused_) && self().relays()) {
      self().ask_sink();  // it must be able to send; whether this one can says nothing
    } else if (commons().scarce() || refused_) {
      carries_ = Carries::poll;
      note_receive();
      recv_.start_when_writable(commons().ring(), self().slot());
    } else {
      // Without the kernel's retry limit a multishot takes all that is queued, at once.
      const bool one = !commons().multishot_is_fair() && !self().sink().outbox_empty();
      receive_now(one ? Carries::one_buffer : Carries::multishot, 0);
    }
  }

  void receive_now(Carries what, std::uint32_t bytes_max) noexcept {
    carries_ = what;
    bundles_ = false;
    rested_ = false;
    note_receive();
    if (what == Carries::one_buffer) {
      recv_.start_once(commons().ring(), self().slot(), commons().buffers(), bytes_max);
      return;
    }
    // A stream has more than was taken last; for what fits into a buffer a bundle is of no use.
    // Without a total it would take what others wait for.
    const std::uint32_t share = commons().grant_multishot();
    bundles_ = unread_ && share > 0 && commons().features().has(Feature::recv_bundle);
    if (bundles_) {
      recv_.start_bundles(commons().ring(), self().slot(), commons().buffers(), share);
    } else {
      recv_.start(commons().ring(), self().slot(), commons().buffers(), share);
    }
  }

  void note_receive() noexcept {
    if (commons().slot_releases()) return;
    receiving_since_ = commons().tick();
    commons().receive_begins(self());
  }

  void on_recv(Cqe cqe) noexcept {
    commons().mark_ready(self());
    if (!cqe.more() && !commons().slot_releases()) commons().receive_ended(self());
    if (carries_ == Carries::poll) {
      on_writable(cqe);
      return;
    }
    if (carries_ == Carries::discard) {
      if (cqe.res > 0) self().count_discarded(static_cast<std::uint32_t>(cqe.res));
      if (cqe.res == 0 || (cqe.res < 0 && !goes_on(cqe.res))) peer_ended_ = receive_ended_ = true;
      return;
    }
    unread_ = cqe.socket_nonempty();
    if (cqe.has_buffer()) take_all(cqe);
    if (!cqe.more()) on_recv_ended(cqe.res);
  }

  // The last CQE may be data, the end, our cancel, or no buffers, whatever was asked for in the
  // meantime.
  void on_recv_ended(int res) noexcept {
    if (res == 0) {
      peer_ended_ = receive_ended_ = true;
      self().on_end();
    } else if (res == -ENOBUFS) {
      refused_ = true;
      commons().stats()[Stat::no_buffers].add(1);
    } else if (res < 0 && !goes_on(res)) {
      peer_ended_ = receive_ended_ = true;
      self().on_tcp_error();
    }
  }

  // The connection is as it was.
  static bool goes_on(int res) noexcept {
    return res == -ECANCELED || res == -EINTR || res == -EAGAIN;
  }

  void on_writable(Cqe cqe) noexcept {
    if (stopping_) return;  // the join goes on in advance()
    if (cqe.res < 0 && cqe.res != -ECANCELED) {
      receive_ended_ = true;
      self().abort_broken();
      return;
    }
    receiving_since_ = commons().tick();
    commons().wait_for_buffer(self());
  }

  void take_all(const Cqe& cqe) noexcept {
    if (cqe.res > 0 && !self().aborting()) {
      WorkerStats& stats = commons().stats();
      stats[Stat::receives].add(1);
      if (carries_ == Carries::one_buffer) stats[Stat::receives_one_shot].add(1);
    }
    BufferRing& buffers = commons().buffers();
    if (!bundles_) return take(buffers.lease(cqe));
    buffers.leases(cqe, [this](BufferLease lease) noexcept { take(std::move(lease)); });
  }

  void take(BufferLease lease) noexcept {
    if (lease.size() == 0 || self().aborting()) return;
    commons().stats()[Stat::bytes_in].add(lease.size());
    self().on_received(commons().received().segment(std::move(lease)));
  }

  void cancel_receive() noexcept {
    stopping_ = true;
    cancel_recv_.pursue(commons().ring(), recv_);
  }

  void on_cancel_recv(Cqe cqe) noexcept {
    cancel_recv_.note(cqe);
    commons().mark_ready(self());
  }

  void join_cancel() noexcept {
    if (!stopping_) return;
    if (cancel_recv_.joined(recv_)) {
      stopping_ = false;
    } else {
      cancel_recv_.pursue(commons().ring(), recv_);
    }
  }

  Bind<RecvMultishot, &Receiver::on_recv> recv_{*this};
  Bind<CancelUntilFound, &Receiver::on_cancel_recv> cancel_recv_{*this};
  std::uint32_t receiving_since_ = 0;
  Carries carries_ = Carries::multishot;  ///< what recv_ is, while it is armed
  bool bundles_ = false;                  ///< its completions may speak for several buffers
  bool stopping_ = false;       ///< the receive in flight shall end; what still arrives is kept
  bool receive_ended_ = false;  ///< nothing more comes, or nothing more is wanted
  bool unread_ = false;         ///< the socket held more than the last receive took
  bool refused_ = false;        ///< the last receive found no buffer: the next waits for its turn
  bool rested_ = false;         ///< so it was at the last look, and no receive has begun since
  bool pause_noted_ = false;    ///< the pause that lasts is in the statistics
  bool unwanted_ = false;       ///< the protocol wants no bytes for now
  bool peer_ended_ = false;     ///< nothing more can come
};

}  // namespace lab
