// What a connection does with its protocol and for its worker, whatever moves its bytes: the same
// on io_uring and on libuv.
//
// Lifetime: a base of its connection, without data of its own: phase_, activity_tick_, commons_ and
// protocol_ are the connection's, where they have room.
#pragma once

#include <cstdint>
#include <utility>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/phase.hpp"
#include "06-server/lib/limits/refused.hpp"
#include "06-server/lib/protocol/deadlines.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Connection derives from it, has it as a friend, and has beside those data and its other bases:
/// send(segment), abort(), finish_other(), looks_again(), slot_closed().
/// @tparam P its protocol
template <class Connection, class P>
class ProtocolSide {
  using Phase = ConnectionPhase;

 public:
  /// A limit keeps its client out.
  void turn_away(Refused why) noexcept {
    if constexpr (requires { P::refusal(why); }) self().send(Segment::stable(P::refusal(why)));
    finish(self().begin_to_turn_away() ? Finish::linger : Finish::close);
  }

  // --- what its protocol calls: the Io ---

  /// None: its share is out, or it waits in line.
  PooledBuffer take_buffer() noexcept {
    // Its own share: sending it brings the next turn.
    if (self().outbox_.pooled() >= self().commons_.pooled_cap()) return {};
    self().note_holding();
    return self().commons_.take_pooled(self());
  }
  /// Now, in steps of protocol_tick_ms.
  std::uint32_t tick() const noexcept { return self().commons_.tick(); }
  /// Of this connection.
  Waker waker() noexcept {
    return {&self(), [](void* connection) noexcept {
              auto& woken = *static_cast<Connection*>(connection);
              woken.commons_.mark_ready(woken);
            }};
  }
  /// What is queued is sent, then it ends.
  void finish(Finish how) noexcept {
    if (open()) self().phase_ = Phase::finishing;
    self().want_bytes(false);
    self().close_inbox();
    if (how == Finish::linger) self().want_to_linger();
    self().finish_other();
    self().commons_.mark_ready(self());
  }
  /// Everything is dropped and the peer gets a reset, where the engine can (on io_uring from Linux
  /// 6.7 on); else TCP's timeout ends it.
  void reset() noexcept {
    self().want_reset();
    self().abort();
  }

  // --- what its worker asks and tells ---

  /// No more is received; what has come is answered, then the connection closes. What its protocol
  /// does not want is thrown away: closing over it would be a reset.
  void wind_up() noexcept {
    if (!open()) return;
    self().phase_ = Phase::finishing;
    if (!self().wants_bytes()) self().want_to_linger();
    self().protocol_.on_wind_up(self());
    self().finish_other();
    self().commons_.mark_ready(self());
  }
  /// The server ends: nothing new is begun.
  void drain() noexcept {
    if (!open()) return;
    self().protocol_.on_drain(self());
    self().commons_.mark_ready(self());
  }
  /// Once a second: somebody's time may be over.
  void check_deadline() noexcept {
    const bool over = is_over(*this, self().protocol_.deadline());
    if (over || self().looks_again()) self().commons_.mark_ready(self());
  }

  /// True while it holds buffers for a peer that takes nothing: since when, see stuck_since().
  bool stuck() const noexcept { return !aborting() && !self().slot_closed() && self().holds_up(); }
  /// The tick at which something moved last.
  std::uint32_t last_activity() const noexcept { return self().activity_tick_; }
  /// Nothing has begun to end it.
  bool open() const noexcept { return self().phase_ == Phase::open; }
  /// Nothing more is sent.
  bool aborting() const noexcept { return self().phase_ == Phase::aborting; }

  // --- what its other bases need ---

  /// Its protocol keeps pooled buffers from one hook to the next.
  bool keeps_pooled_buffers() const noexcept { return self().protocol_.buffers() > 0; }
  /// Received buffers that its protocol has not let go.
  bool keeps_received() const noexcept {
    return self().anything_unread() || self().protocol_.leases() > 0;
  }

  /// Bytes have come.
  void on_received(Segment bytes) noexcept {
    touch();
    if constexpr (P::uses_buffers) {
      self().note_holding();
      self().inbox_.push(std::move(bytes));  // they come in turn()
    } else if (self().wants_bytes()) {
      self().protocol_.on_bytes(self(), std::move(bytes));
    }
  }
  /// The peer's FIN.
  void on_end() noexcept {
    if (!self().keep_end() && open()) self().protocol_.on_end(self());
  }
  /// A piece of a file was read.
  void on_piece(Segment bytes) noexcept {
    const bool takes = open() || self().phase_ == Phase::finishing;
    if (takes && !self().slot_closed()) self().protocol_.on_file(self(), std::move(bytes));
  }
  /// TCP has ended it. Not told apart by the error: after one operation has reported -ETIMEDOUT the
  /// next one gets -EPIPE.
  void abort_broken() noexcept {
    if (!aborting()) self().commons_.stats()[Stat::tcp_ended].add(1);
    self().abort();
  }
  /// Something moved. Once a tick at most: the list by age need not be finer.
  void touch() noexcept {
    if (self().activity_tick_ == tick()) return;
    self().activity_tick_ = tick();
    self().commons_.move_to_youngest(self());
  }

 protected:
  /// The turn of its protocol: first what happened, then what has come, in order, then the end.
  void turn() noexcept {
    if (self().turned_away()) return;
    self().protocol_.on_turn(self());
    self().hand_on(self().protocol_);
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }
};

}  // namespace lab
