// The receiving half of a connection on libuv: when it reads, into which buffer, and how it stops.
//
// A readable socket asks for a buffer and fills it at once, so an idle connection holds none. While
// buffers are scarce it reads once for each turn in the waiting list. Lifetime: a base of its
// connection, which is freed after its handle was closed. Rule: to stop is not to wait: after it
// nothing comes.
#pragma once

#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// Connection derives from it and has: commons(), stream(), aborting(), quiet(), all_sent(),
/// held(), paced(), on_received(segment), count_discarded(bytes), on_end(), abort_broken(),
/// receiving_link.
template <class Connection>
class UvReceiver {
 public:
  /// Its turn in the waiting list came: a buffer is there for it.
  /// @param bytes_max how much of the buffer it may fill; 0: all of it
  void receive_granted(std::uint32_t bytes_max) noexcept {
    LAB_ASSERT(!ended_);
    refused_ = false;
    granted_ = true;
    bite_ = bytes_max;
    begin();
  }

  /// Quiet, and its socket holds nothing that was not received: a read that has been on since the
  /// last look would have brought it. Closing a socket with unread data is a reset, which overtakes
  /// what was sent. One that wants no bytes rests too: its end throws away what there is. One look
  /// a tick.
  bool still_rests() noexcept {
    const bool rested = rested_;
    rested_ = self().quiet() && (reads_ || unwanted_ || ended_);
    return rested && rested_;
  }

  /// Its protocol wants bytes.
  bool wants_bytes() const noexcept { return !unwanted_; }
  /// It wants none for now, or some again.
  void want_bytes(bool wanted) noexcept { unwanted_ = !wanted; }
  /// It found no buffer for bytes that are there, or its last read did not take all of them.
  bool more_waits() const noexcept { return more_; }
  /// The tick at which it began to wait for a buffer.
  std::uint32_t receiving_since() const noexcept { return waits_since_; }
  /// Back to the end of the waiting list: its peer takes no answer yet.
  void wait_again() noexcept {
    commons().leave_waiting(self());
    wait_in_line();
  }

 protected:
  /// Begins, goes on, pauses, as the buffers allow.
  void steer_receiving() noexcept {
    if (ended_) return;
    if (unwanted_ || self().paced()) return pause();
    if (reads_ && !granted_ && commons().over_high_water(self().held())) {
      note_pause();
      stop();
    }
    if (reads_ || waits()) return;
    if (!may_receive()) return note_pause();
    pause_noted_ = false;
    if (commons().scarce() || refused_) {
      wait_in_line();
    } else {
      begin();
    }
  }

  /// Nothing more is wanted.
  void stop_receiving() noexcept {
    pause();
    ended_ = true;
  }
  /// The peer's FIN has come, or an error in its place.
  bool peer_ended() const noexcept { return peer_ended_; }

  /// What still comes is thrown away, until stop_receiving().
  void discard() noexcept {
    discards_ = true;
    begin();
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }
  auto& commons() noexcept { return self().commons(); }
  const auto& commons() const noexcept { return self().commons(); }

  bool waits() const noexcept { return commons().is_waiting(self()); }
  void wait_in_line() noexcept {
    waits_since_ = commons().tick();
    commons().wait_for_buffer(self());
  }

  // Once from its beginning to its end. Waiting for one answer to be out is no pause.
  void note_pause() noexcept {
    if (pause_noted_ || commons().below_low_water(self().held())) return;
    pause_noted_ = true;
    commons().stats()[Stat::pauses].add(1);
  }

  // Too early a read fills the outbox again; while buffers are scarce, one answer must be out
  // before the next question is read.
  bool may_receive() const noexcept {
    const bool one_by_one = commons().scarce() || refused_;
    return commons().below_low_water(self().held()) && (!one_by_one || self().all_sent());
  }

  void begin() noexcept {
    reads_ = true;
    rested_ = false;
    if (uv_read_start(self().stream(), &give_buffer, &on_read) < 0) {
      reads_ = false;
      end_broken();
    }
  }
  void stop() noexcept {
    if (!reads_) return;
    reads_ = granted_ = false;
    uv_read_stop(self().stream());
  }
  void pause() noexcept {
    if (waits()) commons().leave_waiting(self());
    stop();
  }

  static Connection& of(void* handle_data) noexcept {
    return *static_cast<Connection*>(handle_data);
  }

  // [walk buffer]
  // libuv knows that the socket is readable. Without a buffer it says UV_ENOBUFS to on_read().
  static void give_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    UvReceiver& receiver = of(handle->data);
    const std::span<std::byte> space = receiver.space();
    *buffer =
        uv_buf_init(reinterpret_cast<char*>(space.data()), static_cast<unsigned>(space.size()));
  }
  // [/walk]
  static void on_read(uv_stream_t* stream, ssize_t result, const uv_buf_t*) {
    static_cast<UvReceiver&>(of(stream->data)).on_result(result);
  }

  // [walk space]
  std::span<std::byte> space() noexcept {
    if (discards_) return commons().waste();
    // Few are left, and those are for whoever has been granted one.
    if (!granted_ && commons().scarce()) return {};
    commons().in_hand() = commons().received().take();
    if (!commons().in_hand()) return {};
    const std::span<std::byte> all = commons().in_hand().space();
    asked_ = bite_ > 0 && granted_ ? bite_ : static_cast<std::uint32_t>(all.size());
    return all.first(asked_);
  }
  // [/walk]

  void on_result(ssize_t result) noexcept {
    PooledBuffer buffer = std::move(commons().in_hand());
    if (result == 0) return;  // not readable after all
    commons().mark_ready(self());
    rested_ = false;
    if (discards_ && result > 0) {
      self().count_discarded(static_cast<std::uint32_t>(result));
    } else if (result > 0) {
      take(std::move(buffer).filled(static_cast<std::uint32_t>(result)));
    } else if (result == UV_ENOBUFS) {
      stop();
      refused_ = more_ = true;
      commons().stats()[Stat::no_buffers].add(1);
    } else if (result == UV_EOF) {
      pause();
      peer_ended_ = ended_ = true;
      if (!discards_) self().on_end();
    } else {
      end_broken();
    }
  }

  // libuv reads on while whole buffers come, up to 32 of them: a connection that has enough stops
  // it here.
  void take(Segment bytes) noexcept {
    more_ = bytes.size() == asked_;
    WorkerStats& stats = commons().stats();
    stats[Stat::receives].add(1);
    stats[Stat::bytes_in].add(bytes.size());
    if (granted_) stats[Stat::receives_one_shot].add(1);
    if (granted_) stop();
    self().on_received(std::move(bytes));
    if (commons().over_high_water(self().held())) {
      note_pause();
      stop();
    }
  }

  void end_broken() noexcept {
    pause();
    peer_ended_ = ended_ = true;
    if (!discards_) self().abort_broken();
  }

  std::uint32_t asked_ = 0;        ///< bytes of the buffer that was given last
  std::uint32_t bite_ = 0;         ///< of the turn that was granted; 0: a whole buffer
  std::uint32_t waits_since_ = 0;  ///< tick
  bool reads_ = false;             ///< libuv reads for it
  bool granted_ = false;           ///< and one buffer is its own, by its turn in the waiting list
  bool ended_ = false;             ///< nothing more comes, or nothing more is wanted
  bool peer_ended_ = false;        ///< nothing more can come
  bool more_ = false;              ///< the socket held more than it got
  bool refused_ = false;           ///< the last read found no buffer: the next waits for its turn
  bool rested_ = false;            ///< so it was at the last look, and nothing has come since
  bool pause_noted_ = false;       ///< the pause that lasts is in the statistics
  bool unwanted_ = false;          ///< the protocol wants no bytes for now
  bool discards_ = false;          ///< what comes is thrown away
};

}  // namespace lab
