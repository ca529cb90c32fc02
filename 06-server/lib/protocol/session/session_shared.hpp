// What the sessions of one worker have in common: memory for their frames, timers, and counts.
//
// Lifetime: made before the loop; outlives its connections. All memory is allocated here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "04-advanced/lib/frame_pool.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/protocol/session/session_counters.hpp"
#include "06-server/lib/protocol/session/session_timers.hpp"

namespace lab {

/// How much memory there is for coroutines.
struct SessionOptions {
  /// Coroutines at once: one for each connection, and one more for each Task that a session awaits.
  /// A frame's memory is touched when it is first used.
  std::uint32_t frames_max = 32768;
  /// Of the largest frame. 0: as large as the session's own, which is measured at the start; what a
  /// session awaits may be larger.
  std::size_t frame_bytes = 0;
};

/// What does not depend on the code of the session.
class SessionShared {
 public:
  /// @param measured bytes of the session's own frame
  SessionShared(const SessionOptions& options, std::size_t measured)
      : frame_bytes_(options.frame_bytes > measured ? options.frame_bytes : measured),
        bytes_(FramePool::bytes_for(options.frames_max, frame_bytes_)),
        memory_(std::make_unique_for_overwrite<std::byte[]>(bytes_)),
        frames_(std::span(memory_.get(), bytes_), frame_bytes_) {}
  SessionShared(const SessionShared&) = delete;
  SessionShared& operator=(const SessionShared&) = delete;

  FramePool& frames() noexcept { return frames_; }      ///< for its sessions and what they await
  SessionTimers& timers() noexcept { return timers_; }  ///< for sleeps and deadlines
  /// Once a tick, by the engine.
  void on_tick(std::uint32_t now) noexcept { timers_.on_tick(now); }

 private:
  std::array<Counter, SessionCounters::size> unseen_;

 public:
  SessionCounters counters{unseen_};  ///< nobody else sees them, until a worker puts others here

 private:
  std::size_t frame_bytes_;
  std::size_t bytes_;
  std::unique_ptr<std::byte[]> memory_;
  FramePool frames_;
  SessionTimers timers_;
};

}  // namespace lab
