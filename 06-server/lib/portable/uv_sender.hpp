// The sending half of a connection on libuv: an outbox of segments, tried at once, and one
// unfinished write at a time for what the socket does not take.
//
// Lifetime: a base of its connection, which is freed after its handle was closed: then libuv has
// given the write back. Rule: what is being written stays in front of the outbox.
#pragma once

#include <sys/uio.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/segment_queue.hpp"

namespace lab {

/// Connection derives from it and has: commons(), stream(), touch(), abort_broken(),
/// on_buffer_home().
template <class Connection>
class UvSender {
 public:
  /// Other segments than whole received ones that wait at the most; of these there are as many as
  /// buffers.
  static constexpr std::uint32_t others_max = 8;
  /// Bytes from which on a protocol shall wait: twice what a socket takes at once.
  static constexpr std::uint32_t bytes_wanted = 256U << 10;

  explicit UvSender(SegmentNodes& nodes) noexcept : outbox_(nodes) {}

  /// Bytes that its protocol may still add; 0: none.
  std::uint32_t room() const noexcept {
    const std::uint32_t bytes = outbox_.bytes();
    return outbox_.others() < others_max && bytes < bytes_wanted ? bytes_wanted - bytes : 0;
  }
  /// Receive buffers that wait here.
  std::uint32_t held() const noexcept { return outbox_.received(); }
  /// Nothing to send and nothing on the way.
  bool all_sent() const noexcept { return outbox_.empty(); }
  /// It holds buffers of the worker's for a peer that may take nothing: since stuck_since(). Memory
  /// that is nobody else's does not count.
  bool holds_up() const noexcept { return writes_ && outbox_.received() + outbox_.pooled() > 0; }
  /// Pooled buffers wait here.
  bool holds_pooled_buffers() const noexcept { return outbox_.pooled() > 0; }
  /// The tick of the latest progress of its sends, as far as somebody has looked.
  std::uint32_t stuck_since() const noexcept {
    const std::size_t unsent = uv_stream_get_write_queue_size(self().stream());
    if (unsent != unsent_) progress_tick_ = commons().tick();
    unsent_ = unsent;
    return progress_tick_;
  }

 protected:
  // [walk send]
  /// Sends what the socket takes, and hands its next piece to libuv, which waits for room.
  void send_next() noexcept {
    if (writes_ || outbox_.empty()) return;
    progress_tick_ = commons().tick();
    while (!outbox_.empty()) {
      std::array<iovec, gather_max> pieces;
      std::uint32_t asked = 0;
      const unsigned count = outbox_.gather(pieces, asked);
      std::array<uv_buf_t, gather_max> buffers;
      for (unsigned index = 0; index < count; ++index) {
        buffers[index].base = static_cast<char*>(pieces[index].iov_base);
        buffers[index].len = pieces[index].iov_len;
      }
      const int sent = uv_try_write(self().stream(), buffers.data(), count);
      if (sent == UV_EAGAIN) break;
      commons().stats()[Stat::sends].add(1);
      if (sent < 0) return self().abort_broken();
      moved(static_cast<std::uint32_t>(sent));
      if (static_cast<std::uint32_t>(sent) == asked) continue;
      commons().stats()[Stat::sends_short].add(1);
      break;
    }
    if (!outbox_.empty()) write_front();
    commons().take_turn_later(self());  // the protocol has room again
  }
  // [/walk]

  SegmentQueue outbox_;  ///< what is not sent, in order; see the rule

 private:
  static constexpr unsigned gather_max = 32;
  // libuv tells of the end of a write and of no part of it: with small pieces it is told in time
  // that there is room.
  static constexpr std::uint32_t piece_max = 64U << 10;

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }
  auto& commons() noexcept { return self().commons(); }
  const auto& commons() const noexcept { return self().commons(); }

  void moved(std::uint32_t bytes) noexcept {
    commons().stats()[Stat::bytes_out].add(bytes);
    progress_tick_ = commons().tick();
    const std::uint32_t pooled = outbox_.pooled();
    outbox_.consume(bytes);
    if (outbox_.pooled() < pooled) self().on_buffer_home();
    self().touch();
  }

  void write_front() noexcept {
    const Segment& front = outbox_.front();
    asked_ = std::min(front.size(), piece_max);
    // A write only reads, whatever the buffer's type says.
    auto* bytes = reinterpret_cast<char*>(const_cast<std::byte*>(front.bytes().data()));
    const uv_buf_t buffer = uv_buf_init(bytes, asked_);
    write_.data = &self();
    if (uv_write(&write_, self().stream(), &buffer, 1, &on_written) < 0) {
      return self().abort_broken();
    }
    writes_ = true;
    unsent_ = uv_stream_get_write_queue_size(self().stream());
  }

  static void on_written(uv_write_t* write, int status) {
    Connection& connection = *static_cast<Connection*>(write->data);
    UvSender& sender = connection;
    sender.writes_ = false;
    connection.commons().stats()[Stat::sends].add(1);
    connection.commons().mark_ready(connection);
    if (status == 0) {
      sender.moved(sender.asked_);
    } else if (status != UV_ECANCELED) {  // then it is being closed
      connection.abort_broken();
    }
  }

  uv_write_t write_;
  std::uint32_t asked_ = 0;  ///< bytes of the write in flight
  // What is known of its progress; looking may learn more.
  mutable std::uint32_t progress_tick_ = 0;
  mutable std::size_t unsent_ = 0;  ///< of the write in flight, at the last look
  bool writes_ = false;             ///< libuv waits for room; see the rule
};

}  // namespace lab
