// What the code of a session sees of its connection: what has come, what shall go, and time.
//
// Lifetime: its connection's. Rule: the code runs within a hook, and what it waits for is tried
// again in each hook that follows; no hook's Io outlives the hook.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "04-advanced/lib/task.hpp"
#include "06-server/lib/protocol/session/hook_io.hpp"
#include "06-server/lib/protocol/session/session_input.hpp"
#include "06-server/lib/protocol/session/session_output.hpp"
#include "06-server/lib/protocol/session/session_timers.hpp"

namespace lab {

/// How a wait ended. The drain, the end and the loss are told once: the code says its last words,
/// and its next wait for something that cannot come does not return.
enum class SessionResult : std::uint8_t {
  ok,        ///< what was waited for is there
  too_long,  ///< a line, or what was to be written in one piece, is longer than it may be
  timeout,   ///< the deadline() is over, or the server's idle timeout
  drain,     ///< the server ends: nothing came in a while, or the sleep was cut short
  end,       ///< the peer sends no more; it may still be sent to
  lost,      ///< the connection is gone: nothing can be sent
  refused    ///< of an Upstream: nobody took it
};

/// What read() brings.
struct Received {
  /// Not empty exactly when the result is ok. They are the code's to send or to look at; those that
  /// it leaves there go home at the next read(). Those that it moves elsewhere and does not send
  /// count for nobody: a segment does not know its connection, so neither the peer is made to wait
  /// for them, nor are they taken away while others wait for a buffer. Code that wants to keep
  /// bytes leaves them here or copies them.
  std::span<Segment> segments;
  SessionResult result = SessionResult::ok;  ///< ok, or why there are none
  /// True when there are segments.
  explicit operator bool() const noexcept { return result == SessionResult::ok; }
};

class SessionIo;

/// Something that a session's code waits for. It lies in the coroutine's frame.
class SessionWait {
 public:
  SessionWait(const SessionWait&) = delete;
  SessionWait& operator=(const SessionWait&) = delete;

  inline bool await_ready() noexcept;
  inline void await_suspend(Task::Frame waiting) noexcept;
  SessionResult await_resume() const noexcept { return result_; }

 protected:
  /// Within a hook: true when it is over, with its result.
  using Try = bool (*)(SessionWait& self) noexcept;

  /// @param attempt called at once, and in each hook until it says that it is over
  SessionWait(SessionIo& session, Try attempt) noexcept : session_(session), try_(attempt) {}
  ~SessionWait() = default;

  SessionIo& session_;                        ///< outlives the frame
  SessionResult result_ = SessionResult::ok;  ///< of co_await, when it is over
  std::optional<std::uint32_t> due_;          ///< a tick at which it is to be tried
  bool rests_ = false;  ///< nothing is half done: a drain may end the session here

 private:
  friend class SessionIo;
  Try try_;
};

/// @code
///   lab::Task echo(lab::FramePool&, lab::SessionIo& session) {
///     while (auto got = co_await session.read()) {
///       for (lab::Segment& bytes : got.segments) co_await session.send(std::move(bytes));
///     }
///     co_return 0;
///   }
/// @endcode
class SessionIo {
 public:
  class ReadWait;
  class SendWait;
  class WriteWait;
  class FlushWait;
  class SleepWait;

  explicit SessionIo(SessionTimers& timers) noexcept : timers_(timers) {}
  ~SessionIo() { timers_.stop(timer_); }
  SessionIo(const SessionIo&) = delete;
  SessionIo& operator=(const SessionIo&) = delete;

  /// What has come since the last read(): several segments, where they were received. Until then
  /// they are kept, and a peer that sends more is made to wait.
  inline ReadWait read() noexcept;
  /// In order. Received bytes go at once; others wait until there is room.
  inline SendWait send(Segment bytes) noexcept;
  /// Copies into pooled buffers, and waits when there is none. What is written leaves when the code
  /// waits for something, or at flush().
  inline WriteWait write(std::span<const std::byte> bytes) noexcept;
  inline WriteWait write(std::string_view text) noexcept;
  /// Until all is sent, which is not: until the peer has it.
  inline FlushWait flush() noexcept;
  /// At least so long, to the next tick. The first one that a drain meets ends then. So does one
  /// that meets the server's idle timeout (--idle-timeout-ms, 60 s), with timeout: to the server
  /// who sleeps is idle. What is sent then still goes out, and after that the connection closes.
  /// @param milliseconds at most a month
  inline SleepWait sleep(std::uint32_t milliseconds) noexcept;

  /// From now on: a wait that lasts longer ends with timeout, once.
  /// @param milliseconds at most a month
  void deadline(std::uint32_t milliseconds) noexcept {
    deadline_.reset();
    deadline_in_ = ticks(milliseconds);
  }
  /// Waits may last again, as long as the server's idle timeout lets them.
  void clear_deadline() noexcept {
    deadline_.reset();
    deadline_in_.reset();
  }

  /// Nothing more is wanted from the peer; what was sent goes out, then the connection ends. A
  /// session that returns is finished so: a peer that may still be sending reads the last answer.
  void finish() noexcept { finish(peer_ended_ || wound_up_ ? Finish::close : Finish::linger); }
  void finish(Finish how) noexcept {
    if (!finish_) finish_ = how;
  }
  /// Everything is dropped and the peer gets a reset, as soon as the code waits or returns.
  void reset() noexcept { reset_ = true; }

  /// The server ends: whoever answers says so, where its protocol has words for it.
  bool draining() const noexcept { return draining_; }

 private:
  friend class SessionWait;
  template <auto Body>
  friend class Session;
  friend class PipeReader;
  friend class BufferWriter;
  friend class Upstream;

  // Waits that are over at once, in one hook. Code that does nothing else would keep the worker
  // from everybody: it goes on at the next tick.
  static constexpr std::uint32_t at_once_max = 1000;

  static std::uint32_t ticks(std::uint32_t milliseconds) noexcept {
    return milliseconds / protocol_tick_ms + 1;
  }
  std::uint32_t now() const noexcept {
    LAB_ASSERT(io_ != nullptr);
    return io_->tick();
  }
  bool is_over(std::uint32_t tick) const noexcept {
    return static_cast<std::int32_t>(now() - tick) >= 0;
  }

  // --- what its waits need ---

  bool try_wait(SessionWait& wait) noexcept {
    if (lost_) {
      wait.result_ = SessionResult::lost;
      return !std::exchange(lost_told_, true);
    }
    if (io_ == nullptr || at_once_left_ == 0) return false;
    if (deadline_in_) deadline_ = now() + *std::exchange(deadline_in_, std::nullopt);
    if (!wait.try_(wait)) {
      if (!deadline_ || !is_over(*deadline_)) return false;
      deadline_.reset();
      wait.result_ = SessionResult::timeout;
    }
    --at_once_left_;
    return true;
  }

  // Outside of a hook there is no Io to try it with: the connection's next turn does.
  void suspend(SessionWait& wait, Task::Frame waiting) noexcept {
    wait_ = &wait;
    pause_.hold(waiting);
    if (lost_) return;
    if (io_ == nullptr) return waker_->wake();
    std::optional<std::uint32_t> due = deadline_;
    if (wait.due_ && (!due || static_cast<std::int32_t>(*wait.due_ - *due) < 0)) due = wait.due_;
    if (at_once_left_ == 0) due = now();
    if (due) timers_.start(timer_, now(), *due, *waker_);
  }

  // True once: this is the last that is told.
  bool tell_last(SessionResult& result, SessionResult last) noexcept {
    if (std::exchange(last_told_, true)) {
      finish();  // nobody waits for what cannot come
      return false;
    }
    result = last;
    return true;
  }

  bool try_read(Received& got) noexcept {
    if (input_.anything_new()) {
      got = {.segments = input_.take(), .result = SessionResult::ok};
      return true;
    }
    input_.give_up();
    got.segments = {};
    if (std::exchange(refused_, false)) io_->receive(Receive::on);
    if (finish_ || peer_ended_) return tell_last(got.result, SessionResult::end);
    if (!wound_up_) return false;
    return tell_last(got.result, draining_ ? SessionResult::drain : SessionResult::timeout);
  }

  bool may_send(SessionResult& result) const noexcept {
    if (!finish_) return true;
    result = SessionResult::end;
    return false;
  }

  // --- what its Session tells ---

  // What the code waits for may have happened.
  void go_on() noexcept {
    if (wait_ == nullptr || !try_wait(*wait_)) return;
    wait_ = nullptr;
    timers_.stop(timer_);
    pause_.resume();
  }

  void take(Segment bytes) noexcept {
    if (finish_) return;
    if (input_.push(bytes)) return io_->pace();
    refused_ = true;
    io_->unread(std::move(bytes));
  }

  // The code is gone, or will not go on.
  void forget() noexcept {
    wait_ = nullptr;
    pause_.forget();
    timers_.stop(timer_);
    input_.clear();
    output_.drop();
  }

  bool rests() const noexcept {
    return wait_ != nullptr && wait_->rests_ && !input_.anything_new();
  }

  SessionTimers& timers_;
  HookIo* io_ = nullptr;         ///< of the hook that runs; null outside of hooks
  SessionWait* wait_ = nullptr;  ///< exactly while the code waits here
  TaskPause pause_;
  SessionInput input_;
  SessionOutput output_;
  SessionTimer timer_;
  std::optional<Waker> waker_;                ///< from on_open() on
  std::optional<std::uint32_t> deadline_;     ///< tick
  std::optional<std::uint32_t> deadline_in_;  ///< ticks from the next wait on
  std::optional<Finish> finish_;              ///< the code wants to end so
  std::uint32_t at_once_left_ = at_once_max;
  bool reset_ = false;
  bool refused_ = false;     ///< bytes are with the engine until there is room again
  bool peer_ended_ = false;  ///< its FIN has come
  bool draining_ = false;
  bool end_told_ = false;   ///< to a sleep
  bool wound_up_ = false;   ///< the engine ends it
  bool last_told_ = false;  ///< end, drain or timeout: nothing more can come
  bool lost_ = false;
  bool lost_told_ = false;
};

inline bool SessionWait::await_ready() noexcept { return session_.try_wait(*this); }
inline void SessionWait::await_suspend(Task::Frame waiting) noexcept {
  session_.suspend(*this, waiting);
}

}  // namespace lab

#include "06-server/lib/protocol/session/session_waits.hpp"
