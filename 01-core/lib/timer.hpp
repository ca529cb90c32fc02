// A timeout as an operation: once, or again and again. It keeps its time, so it may be started long
// before the submit. Lesson: 01-core/06-timeouts.
//   Bind<Timer, &Worker::on_tick> tick_{*this};
//   tick_.start(ring, 20'000'000);  // 20 ms; then on_tick() gets a Cqe with res -ETIME
#pragma once

#include "01-core/lib/ring.hpp"

namespace lab {

/// A relative timeout. Its CQE has res -ETIME when the time is up, -ECANCELED when it was
/// cancelled. Source: io_uring_prep_timeout(3); multishot since Linux 6.4.
class Timer : public Completion {
 public:
  using Completion::Completion;

  /// One completion after `nanoseconds`. The time is read at submission and may be set again after
  /// it.
  void start(Ring& ring, std::uint64_t nanoseconds) noexcept { start(ring, nanoseconds, 0); }

  /// A completion every `nanoseconds` until cancelled (Linux 6.4; before it the first CQE is
  /// -EINVAL).
  void start_multishot(Ring& ring, std::uint64_t nanoseconds) noexcept {
    start(ring, nanoseconds, IORING_TIMEOUT_MULTISHOT);
  }

 private:
  void start(Ring& ring, std::uint64_t nanoseconds, unsigned flags) noexcept {
    time_ = {.tv_sec = static_cast<long long>(nanoseconds / 1'000'000'000U),
             .tv_nsec = static_cast<long long>(nanoseconds % 1'000'000'000U)};
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_timeout(sqe, &time_, 0, flags);
    ring.arm(sqe, *this);
  }

  __kernel_timespec time_{};
};

}  // namespace lab
