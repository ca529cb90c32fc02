// The sending half of a connection: an outbox of segments, and one unfinished send at a time.
//
// Lifetime: a base of its connection, which is not freed while a send's result, the cancel or a
// notification is due. Rule: order follows the result, lifetime follows the notification.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "01-core/lib/cancel.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/send.hpp"
#include "03-network/lib/send_zero_copy.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/segment_queue.hpp"

namespace lab {

template <class Connection>
class Sender;

/// A zero-copy send and the bytes that it reads, until the notification. From a pool of the worker:
/// many can await their notification while the connection sends on.
template <class Connection>
class ZeroCopySend {
 public:
  /// @param owner the connection, which is not freed before the last CQE
  ZeroCopySend(Sender<Connection>& owner, Segment segment) noexcept
      : owner_(owner), bytes(std::move(segment)) {}

  void on_send(Cqe cqe) noexcept { owner_.on_zero_copy(*this, cqe); }

 private:
  Sender<Connection>& owner_;

 public:
  Segment bytes;  ///< what the kernel reads, until the last CQE
  Bind<SendZeroCopy, &ZeroCopySend::on_send> send{*this};  ///< armed until the last CQE
};

/// Connection derives from it and has: commons(), slot(), touch(), on_tcp_error(),
/// on_buffer_home(), rouse_source().
template <class Connection>
class Sender {
 public:
  /// Other segments than whole received ones that wait at the most; of these there are as many as
  /// buffers.
  static constexpr std::uint32_t others_max = 8;
  /// Bytes from which on a protocol shall wait: twice what a socket takes at once.
  static constexpr std::uint32_t bytes_wanted = 256U << 10;

  explicit Sender(SegmentNodes& nodes) noexcept : outbox_(nodes) {}

  /// Bytes that its protocol may still add; 0: none.
  std::uint32_t room() const noexcept {
    const std::uint32_t bytes = outbox_.bytes();
    return outbox_.others() < others_max && bytes < bytes_wanted ? bytes_wanted - bytes : 0;
  }

  /// Nothing to send and nothing on the way.
  bool all_sent() const noexcept { return outbox_.empty() && !sending(); }
  bool outbox_empty() const noexcept { return outbox_.empty(); }  ///< one send may be on its way
  /// Receive buffers that are not home because of it.
  std::uint32_t held() const noexcept { return outbox_.received() + due(SegmentKind::received); }
  /// It holds pooled buffers, sent or not.
  bool holds_pooled_buffers() const noexcept {
    const bool in_flight = zero_copy_ != nullptr && zero_copy_->bytes.kind() == SegmentKind::pooled;
    return in_flight || outbox_.pooled() + due(SegmentKind::pooled) > 0;
  }
  /// It holds buffers of the worker's, received or pooled ones, for a peer that may take nothing:
  /// since stuck_since(). Memory that is nobody else's does not count.
  bool holds_up() const noexcept {
    if (zero_copy_ != nullptr) return zero_copy_->bytes.kind() != SegmentKind::stable;
    return (sending() && outbox_.received() + outbox_.pooled() > 0) ||
           due(SegmentKind::received) + due(SegmentKind::pooled) > 0;
  }
  /// The tick of the latest progress of its sends.
  std::uint32_t stuck_since() const noexcept { return progress_tick_; }
  /// Its peer has taken something lately, or nothing is due to it.
  bool peer_takes() const noexcept {
    constexpr std::uint32_t patience_ticks = 2;
    return !sending() || commons().tick() - progress_tick_ < patience_ticks;
  }

 protected:
  /// Begins the next send, if none is on its way.
  ///
  /// One unfinished send at a time, or the stream could be reordered. It ends as soon as the socket
  /// has taken something: one that waits has taken nothing since it began, so how long it waits is
  /// how long its peer has stood still.
  void send_next() noexcept {
    if (sending() || outbox_.empty()) return;
    if (notifications_joined()) progress_tick_ = commons().tick();
    if (send_zero_copy() || send_gathered()) return;
    asked_ = outbox_.front().size();
    send_.start(commons().ring(), self().slot(), outbox_.front().bytes(), Send::what_fits);
  }

  /// Cancels the send on its way, until the cancel has found it: to be called in each turn. The
  /// outbox stays as it is.
  void stop_sending() noexcept {
    if (zero_copy_ != nullptr) {
      cancel_send_.pursue(commons().ring(), zero_copy_->send);
    } else {
      cancel_send_.pursue(commons().ring(), send_);
    }
  }

  /// True while a send's result is due.
  bool sending() const noexcept { return send_.armed() || zero_copy_ != nullptr; }
  /// Neither a result nor an answer to a cancel is due: the slot may be closed.
  bool results_joined() const noexcept { return !sending() && !cancel_send_.armed(); }
  /// No notification is due: once its slot is closed, the connection may be freed.
  bool notifications_joined() const noexcept {
    return due(SegmentKind::received) + due(SegmentKind::pooled) + due(SegmentKind::stable) == 0;
  }

  SegmentQueue outbox_;  ///< what is not sent, in order; a plain send reads its front

 private:
  friend class ZeroCopySend<Connection>;

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  auto& commons() noexcept { return self().commons(); }
  const auto& commons() const noexcept { return static_cast<const Connection&>(*this).commons(); }

  static constexpr std::size_t kinds = 3;

  std::uint32_t due(SegmentKind kind) const noexcept {
    return notifications_due_[static_cast<std::size_t>(kind)];
  }
  std::uint16_t& due_of(const Segment& bytes) noexcept {
    return notifications_due_[static_cast<std::size_t>(bytes.kind())];
  }

  // What is in front of a segment for zero copy goes in one send, and then that one by itself.
  bool send_gathered() noexcept {
    if (outbox_.single()) return false;
    gather_ = commons().gather_lists().create();
    if (gather_ == nullptr) return false;
    const std::uint32_t alone =
        zero_copy_works_ ? commons().zero_copy().smallest() : ~std::uint32_t{0};
    asked_ = gather_->fill(outbox_, alone);
    const bool more = asked_ < outbox_.bytes();
    send_.start(commons().ring(), self().slot(), gather_->message(), Send::what_fits,
                more ? MSG_MORE : 0);
    return true;
  }

  // A zero-copy send keeps its bytes until the peer has acknowledged them, which one that does not
  // read never does: while buffers are few, the bytes are copied and the buffer is free at once.
  bool send_zero_copy() noexcept {
    const Segment& front = outbox_.front();
    if (!zero_copy_works_ || !commons().zero_copy().wanted(front.size()) ||
        !commons().may_send_zero_copy(front.kind(), due(front.kind()))) {
      return false;
    }
    ZeroCopySend<Connection>* send = commons().create_zero_copy_send(*this);
    if (send == nullptr) return false;
    send->bytes = outbox_.pop();
    zero_copy_ = send;
    asked_ = send->bytes.size();
    send->send.start(commons().ring(), self().slot(), send->bytes.bytes(),
                     commons().zero_copy_options(send->bytes.kind()));
    return true;
  }

  void on_send(Cqe cqe) noexcept {
    if (gather_ != nullptr) commons().gather_lists().destroy(std::exchange(gather_, nullptr));
    on_sent(cqe.res);
    if (cqe.res > 0) {
      const std::uint32_t pooled = outbox_.pooled();
      outbox_.consume(static_cast<std::uint32_t>(cqe.res));
      if (outbox_.pooled() < pooled) self().on_buffer_home();
    } else if (cqe.res != -EINTR && cqe.res != -EAGAIN) {
      self().on_tcp_error();
    }
  }

  // The result, and then the notification when the result said F_MORE. Its bytes stay until
  // the last one.
  void on_zero_copy(ZeroCopySend<Connection>& send, Cqe cqe) noexcept {
    if (cqe.notification()) {
      commons().on_zero_copy_done(cqe);
      --due_of(send.bytes);
      if (send.bytes.kind() == SegmentKind::pooled) self().on_buffer_home();
      progress_tick_ = commons().tick();
      rouse();
      commons().destroy_zero_copy_send(send);
      return;
    }
    zero_copy_ = nullptr;
    on_sent(cqe.res);
    const bool fall_back = cqe.res == -ENOMEM || cqe.res == -ENOBUFS || cqe.res == -EOPNOTSUPP;
    if (fall_back) {
      zero_copy_works_ = false;
      commons().stats()[Stat::zero_copy_fallbacks].add(1);
    }
    if (fall_back || cqe.res == -EINTR || cqe.res == -EAGAIN) {
      outbox_.push_front(send.bytes.rest_after(0));
    } else if (cqe.res <= 0) {
      self().on_tcp_error();
    } else if (static_cast<std::uint32_t>(cqe.res) < send.bytes.size()) {
      outbox_.push_front(send.bytes.rest_after(static_cast<std::uint32_t>(cqe.res)));
    }
    if (cqe.more()) {
      ++due_of(send.bytes);
    } else {
      commons().destroy_zero_copy_send(send);
    }
  }

  void rouse() noexcept {
    commons().mark_ready(self());
    self().rouse_source();
  }

  // The common part of every send's result. A cancelled send may have sent a part.
  void on_sent(int res) noexcept {
    rouse();
    WorkerStats& stats = commons().stats();
    stats[Stat::sends].add(1);
    if (res <= 0) return;
    stats[Stat::bytes_out].add(static_cast<std::uint32_t>(res));
    if (static_cast<std::uint32_t>(res) < asked_) stats[Stat::sends_short].add(1);
    progress_tick_ = commons().tick();
    self().touch();
  }

  void on_cancel_send(Cqe cqe) noexcept {
    cancel_send_.note(cqe);
    commons().mark_ready(self());
  }

  GatherList* gather_ = nullptr;                   ///< of the send in flight
  ZeroCopySend<Connection>* zero_copy_ = nullptr;  ///< whose result is due
  Bind<Send, &Sender::on_send> send_{*this};
  Bind<CancelUntilFound, &Sender::on_cancel_send> cancel_send_{*this};
  std::uint32_t asked_ = 0;                               ///< bytes of the send in flight
  std::uint32_t progress_tick_ = 0;                       ///< when its sends last moved
  std::array<std::uint16_t, kinds> notifications_due_{};  ///< of each kind of segment
  bool zero_copy_works_ = true;  ///< False once a zero-copy send failed here
};

}  // namespace lab
