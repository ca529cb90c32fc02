// A multishot receive as a stream: `co_await stream.next()` gives what came, a lease at a time.
//
// Back-pressure: when the task is slower than the peer, leases pile up. At leases_max the receive
// is cancelled, TCP's window closes and the peer waits; when the task has taken all, it is armed
// again. Rule: a stream that has not ended is stopped before its frame is left: co_await
// stream.stop().
#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "04-advanced/lib/task.hpp"

namespace lab {

/// The bytes that arrive on a slot, for one task. It is armed by the first next(), never before
/// somebody wants data. Nothing that arrived is lost, whatever ends the multishot.
/// Lifetime: in the task's frame, or longer; ring, buffers and pool outlive it.
/// Source: io_uring_prep_recv_multishot(3), Linux 6.0. Lesson: 04-advanced/10-coroutine-stream.
/// @code
///   Stream stream(ring, slot, buffers, leases, 16);
///   for (;;) {
///     Stream::Item item = co_await stream.next();
///     if (item.res <= 0) co_return item.res;  // 0: the peer's FIN
///     ... item.lease.bytes() ...
///   }
/// @endcode
class Stream : private TaskOperation {
 public:
  /// res: the lease's bytes; 0 at the peer's FIN; -ECANCELED after Task::cancel() or stop(); the
  /// socket's error. All of these stay. -ENOBUFS does not: every buffer is held by somebody else,
  /// and next() makes sense again when one has come home, not at once.
  struct Item {
    int res = 0;        ///< see above
    BufferLease lease;  ///< the bytes, exactly when res is above 0
  };

  /// @param leases one node per buffer of `buffers`, shared by all streams
  /// @param leases_max how many leases may wait for the task before the peer has to. The kernel may
  ///   add what it had in hand already: up to 33 buffers, on Linux 6.1 all that was queued
  Stream(Ring& ring, FileSlot slot, BufferRing& buffers, LeasePool& leases,
         std::uint32_t leases_max) noexcept
      : TaskOperation(&ask_to_end),
        ring_(ring),
        slot_(slot),
        buffers_(buffers),
        leases_max_(leases_max),
        queue_(leases) {
    LAB_ASSERT(leases_max > 0);
  }

  /// What next() gives to co_await.
  class Next {
   public:
    bool await_ready() const noexcept { return stream_.has_item(); }
    bool await_suspend(Task::Frame waiting) noexcept { return stream_.wait(waiting); }
    Item await_resume() noexcept { return stream_.take(); }

   private:
    friend class Stream;
    explicit Next(Stream& stream) noexcept : stream_(stream) {}
    Stream& stream_;
  };

  /// Waits for the next item. One task at a time.
  [[nodiscard]] Next next() noexcept { return Next(*this); }

  /// What stop() gives to co_await.
  class Stopped {
   public:
    bool await_ready() const noexcept { return stream_.idle(); }
    void await_suspend(Task::Frame waiting) noexcept {
      ask_to_end(stream_);
      stream_.hold(waiting);
    }
    void await_resume() noexcept {
      stream_.queue_.clear();
      stream_.end(-ECANCELED);
    }

   private:
    friend class Stream;
    explicit Stopped(Stream& stream) noexcept : stream_(stream) {}
    Stream& stream_;
  };

  /// Cancels, joins, and gives back every lease that nobody took: then the slot may be closed.
  [[nodiscard]] Stopped stop() noexcept { return Stopped(*this); }

  /// Leases that wait for the task.
  std::uint32_t waiting_count() const noexcept { return queue_.count(); }
  /// How often the peer was made to wait.
  std::uint64_t pauses() const noexcept { return pauses_; }

 private:
  static void ask_to_end(TaskOperation& self) noexcept {
    auto& stream = static_cast<Stream&>(self);
    stream.ending_ = true;
    if (stream.recv_.armed() && !stream.cancel_.armed()) {
      stream.cancel_.start(stream.ring_, stream.recv_);
    }
  }

  bool idle() const noexcept { return !recv_.armed() && !cancel_.armed(); }
  // The end is given last of all: with it the task leaves, so a pause's cancel has come home too.
  bool has_item() const noexcept { return !queue_.empty() || (ended_ && idle()); }

  // False: there is no buffer, and none of ours that could come home, so the task goes on at once.
  bool wait(Task::Frame waiting) noexcept {
    if (idle() && buffers_.free() == 0) return false;
    if (idle()) recv_.start(ring_, slot_, buffers_);
    hold(waiting);
    return true;
  }

  Item take() noexcept {
    if (queue_.empty()) return {ended_ ? end_ : -ENOBUFS, {}};
    BufferLease lease = queue_.pop();
    const int res = static_cast<int>(lease.size());
    return {res, std::move(lease)};
  }

  void end(int res) noexcept {
    if (!ended_) end_ = res;
    ended_ = true;
  }

  void on_recv(Cqe cqe) noexcept {
    if (cqe.has_buffer()) {
      BufferLease lease = buffers_.lease(cqe);
      if (lease.size() > 0) queue_.push(std::move(lease));
    }
    // A pause ends it with -ECANCELED, an empty ring with -ENOBUFS, a full CQ with data: it will be
    // armed again. Anything else is the stream's end.
    if (cqe.res == 0 || (cqe.res < 0 && cqe.res != -ECANCELED && cqe.res != -ENOBUFS)) {
      end(cqe.res);
    }
    if (recv_.armed() && !cancel_.armed() && queue_.count() >= leases_max_) {
      ++pauses_;
      cancel_.start(ring_, recv_);
    }
    settle();
  }

  void on_cancel(Cqe) noexcept { settle(); }

  // Last in both handlers: the task that goes on may destroy the stream.
  void settle() noexcept {
    if (!idle()) {
      if (!ending_ && has_item()) wake();
      return;
    }
    if (ending_) end(-ECANCELED);
    if (waited_for() && !has_item() && buffers_.free() > 0) {
      recv_.start(ring_, slot_, buffers_);
      return;
    }
    let_go();
  }

  Ring& ring_;
  const FileSlot slot_;
  BufferRing& buffers_;
  const std::uint32_t leases_max_;
  LeaseQueue queue_;
  bool ending_ = false;  ///< true when it was asked to end: it is never armed again
  bool ended_ = false;   ///< true when end_ is what next() gives after the last lease
  int end_ = 0;
  std::uint64_t pauses_ = 0;
  Bind<RecvMultishot, &Stream::on_recv> recv_{*this};
  Bind<Cancel, &Stream::on_cancel> cancel_{*this};
};

}  // namespace lab
