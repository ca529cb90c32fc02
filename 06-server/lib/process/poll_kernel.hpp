// What stands in for io_uring under a supervisor where there is none: the few operations of that,
// by poll(2). It carries words between a handful of processes, and no client's byte.
//
// Lifetime: outlives its ring. Rule: one thread. A write waits until poll(2) sees room, so to a
// pipe a piece of PIPE_BUF bytes never blocks; to a terminal that somebody has stopped it may.
#pragma once

#include <poll.h>

#include <cstdint>
#include <vector>

#include "01-core/lib/ring.hpp"

namespace lab {

/// Knows NOP, TIMEOUT, POLL_ADD, RECV with MSG_WAITALL, WRITE and ASYNC_CANCEL; any other operation
/// ends with -EINVAL, as with a kernel that does not know it.
class PollKernel {
 public:
  /// @throws std::bad_alloc
  PollKernel();
  PollKernel(const PollKernel&) = delete;
  PollKernel& operator=(const PollKernel&) = delete;

  /// For RingOptions.
  StandIn stand_in() noexcept;

 private:
  static constexpr unsigned entries = 256;  // a power of two
  static constexpr unsigned completions_max =
      8192;  // a power of two: three for each of 1024 workers

  struct Operation {
    std::uint64_t user_data;
    std::uint64_t address;
    std::uint64_t due_ns;  ///< of a timeout
    std::uint32_t size;    ///< bytes
    std::uint32_t done;    ///< of them, in a receive
    std::uint32_t flags;   ///< MSG_*
    int fd;
    short events;  ///< that it waits for; poll(2)
    std::uint8_t opcode;
  };

  static int enter(void* self, Ring&, unsigned to_submit, unsigned wait_for) noexcept;
  static std::uint64_t now_ns(void*) noexcept;

  unsigned submit(unsigned count);
  void begin(const io_uring_sqe& sqe);
  void cancel(const io_uring_sqe& sqe) noexcept;
  void wait(bool blocks);
  bool go_on(Operation& operation, short seen) noexcept;
  bool receive(Operation& operation) noexcept;
  void complete(std::uint64_t user_data, int res) noexcept;
  unsigned ready() const noexcept { return cq_tail_ - cq_head_; }
  bool has_room() const noexcept { return ready() < completions_max; }

  std::vector<io_uring_sqe> sqes_;
  std::vector<io_uring_cqe> cqes_;
  unsigned sq_head_ = 0;
  unsigned sq_tail_ = 0;
  unsigned sq_flags_ = 0;
  unsigned cq_head_ = 0;
  unsigned cq_tail_ = 0;
  std::vector<Operation> operations_;  ///< in flight
  std::vector<pollfd> polled_;         ///< for each of them, in a wait
};

}  // namespace lab
