// A protocol that is written as a coroutine: its code reads from top to bottom, and each of the
// engine's hooks lets it go on where it waits.
//
// Lifetime: a connection's. The coroutine's frame comes from the worker's pool and dies with its
// code's end, or with the connection: then the code does not go on, and its objects are destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "04-advanced/lib/task.hpp"
#include "06-server/lib/protocol/protocol.hpp"
#include "06-server/lib/protocol/session/hook_io.hpp"
#include "06-server/lib/protocol/session/session_io.hpp"
#include "06-server/lib/protocol/session/session_shared.hpp"

namespace lab {

namespace detail {

struct NoSessionState {};
NoSessionState session_state(Task (*)(FramePool&, SessionIo&));
template <class State>
State session_state(Task (*)(FramePool&, SessionIo&, State&));

inline Task begin_session(Task (*body)(FramePool&, SessionIo&), FramePool& frames,
                          SessionIo& session, NoSessionState&) {
  return body(frames, session);
}
template <class State>
Task begin_session(Task (*body)(FramePool&, SessionIo&, State&), FramePool& frames,
                   SessionIo& session, State& state) {
  return body(frames, session, state);
}

}  // namespace detail

/// @tparam Body `Task body(FramePool&, SessionIo&)`, or with a third parameter `State&`: what all
/// sessions of a worker have in common. A function, or a lambda that captures nothing.
///
/// Its code's ends: it returns (then finish() follows), it throws (a reset, counted), the
/// connection is lost or closed while it waits. Without a frame the connection is refused by a
/// reset, counted. Code that computes for long without a co_await keeps its worker from everybody.
template <auto Body>
class Session : public ProtocolDefaults {
 public:
  /// An empty struct where its code takes none.
  using State = decltype(detail::session_state(+Body));

  /// Made before the loop; outlives the sessions. Its memory is taken in the constructor.
  class Shared : public SessionShared {
   public:
    Shared() : Shared(SessionOptions{}) {}
    /// @param given what the state is made from
    template <class... Given>
    explicit Shared(const SessionOptions& options, Given&&... given)
        : SessionShared(options, measure()), state{std::forward<Given>(given)...} {}

    [[no_unique_address]] State state;  ///< what the code gets as its third parameter
  };
  static constexpr bool uses_buffers = true;  ///< write() copies into pooled ones

  explicit Session(Shared& shared) noexcept : shared_(shared), io_(shared.timers()) {}
  ~Session() {
    drop();
    LAB_ASSERT(at_rest());
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void on_open(auto& io) noexcept {
    const Hook hook(*this, io);
    io_.waker_ = io.waker();
    task_ = detail::begin_session(+Body, shared_.frames(), io_, shared_.state);
    if (!task_) {
      shared_.counters.refused().add(1);
      io_.reset();
      return;
    }
    alive_ = true;
    task_.catch_exceptions();
    task_.template start<&Session::on_task_end>(*this);
  }

  void on_bytes(auto& io, Segment bytes) noexcept {
    if constexpr (DiallingIo<std::remove_cvref_t<decltype(io)>>) {
      if (io.relays()) {
        if (alive_) io.pace();  // the client asks; the other side answers
        return io.pass(std::move(bytes));
      }
    }
    if (!alive_) return;
    const Hook hook(*this, io);
    io_.take(std::move(bytes));
    io_.go_on();
  }

  void on_turn(auto& io) noexcept {
    const Hook hook(*this, io);
    io_.go_on();
  }

  void on_end(auto& io) noexcept {
    const Hook hook(*this, io);
    io_.peer_ended_ = true;
    if constexpr (DiallingIo<std::remove_cvref_t<decltype(io)>>) {
      if (io.relays()) io.pass_end();
    }
    io_.go_on();
  }

  void on_drain(auto& io) noexcept {
    const Hook hook(*this, io);
    io_.draining_ = true;
    io_.go_on();
  }

  void on_wind_up(auto& io) noexcept {
    const Hook hook(*this, io);
    io_.wound_up_ = true;
    io_.go_on();
  }

  /// Its code is told, and has until its next co_await.
  void on_abort() noexcept {
    io_.lost_ = true;
    io_.go_on();
    if (alive_ && task_.done()) note_end();
    drop();
  }

  /// Its code waits where a drain may end it, with all read, or it has ended.
  bool idle() const noexcept { return !alive_ || io_.rests(); }
  /// What its code has started itself, on a ring of its own accord, has ended.
  bool at_rest() const noexcept { return !joins_ && task_.at_rest(); }
  std::uint32_t leases() const noexcept { return io_.input_.leases(); }  ///< what read() gave, too
  /// When its code is to go on at the latest: see SessionTimers.
  std::uint32_t deadline() const noexcept { return io_.timer_.due(); }

 private:
  static constexpr std::size_t frame_max = 64U << 10;

  // While one hook runs. Its end sends what was written and does what the code asked for.
  class Hook {
   public:
    template <class Io>
    Hook(Session& session, Io& io) noexcept : session_(session), io_(io) {
      LAB_ASSERT(session_.io_.io_ == nullptr);
      session_.io_.io_ = &io_;
      session_.io_.at_once_left_ = SessionIo::at_once_max;
    }
    ~Hook() { session_.end_hook(io_); }
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

   private:
    Session& session_;
    HookIo io_;
  };

  // A coroutine that was made and not started tells how large it is.
  static std::size_t measure() {
    const std::size_t bytes = FramePool::bytes_for(1, frame_max);
    const auto memory = std::make_unique<std::byte[]>(bytes);
    FramePool frames(std::span(memory.get(), bytes), frame_max);
    SessionTimers timers;
    SessionIo io(timers);
    alignas(State) std::byte unused[sizeof(State)];
    auto& state = reinterpret_cast<State&>(unused);  // a reference that nobody follows
    static_cast<void>(detail::begin_session(+Body, frames, io, state));
    return frames.largest();
  }

  // The last act of its code; or, where that was ended while the kernel had something of it, the
  // last of its frame.
  void on_task_end() noexcept {
    joins_ = false;
    if (io_.io_ == nullptr) io_.waker_->wake();
  }

  void note_end() noexcept {
    if (task_.threw()) {
      shared_.counters.threw().add(1);
      io_.reset();
    } else {
      io_.finish();
    }
    drop();
  }

  void end_hook(HookIo& io) noexcept {
    if (alive_ && task_.done()) {
      if (!task_.threw()) io_.output_.flush(io);
      note_end();
    }
    io_.output_.flush(io);
    io_.io_ = nullptr;
    if (std::exchange(io_.reset_, false)) {
      io.reset();  // on_abort() comes within
    } else if (io_.finish_ && !finished_) {
      finished_ = true;
      io.finish(*io_.finish_);
    }
  }

  void drop() noexcept {
    io_.forget();
    if (!std::exchange(alive_, false)) return;
    joins_ = !task_.at_rest();
    task_ = Task{};
  }

  Shared& shared_;
  SessionIo io_;
  Task task_;
  bool alive_ = false;     ///< its code has begun and not ended
  bool finished_ = false;  ///< the engine knows
  bool joins_ = false;  ///< its code is gone, and its frame is not: the kernel has something of it
};

/// A session that may dial out: its code uses an Upstream. Each client may take two slots. The
/// connection that was dialled has an object of this type, too, without code: it passes on what
/// comes.
template <auto Body>
class DiallingSession : public Session<Body> {
 public:
  using Session<Body>::Session;
  static constexpr bool dials = true;  ///< see dials_out
  void on_connected(auto&) noexcept {}
};

}  // namespace lab
