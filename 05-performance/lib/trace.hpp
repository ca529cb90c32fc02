// What a process's rings look like from outside: /proc/PID/fdinfo, read, counted and put in words.
//   const Trace trace(pid);
//   for (const int fd : trace.rings())
//     for (const std::string& line : explain(trace.read(fd))) std::puts(line.c_str());
// For tools and lessons: it takes memory, and may throw. The process goes on meanwhile, so the
// numbers of one reading are of nearly one moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// A completion that waits in the CQ for its reader.
struct UnreadCqe {
  std::uint64_t user_data;  ///< as its SQE had it: in these programs often an address
  std::int32_t res;         ///< the result, or -errno
  std::uint32_t flags;      ///< IORING_CQE_F_*
};

/// One ring, as the kernel shows it in fdinfo. Source: io_uring/fdinfo.c.
struct RingState {
  /// True when the kernel showed the ring's own part. It only tries to take the ring's lock: while
  /// another thread has it, everything below is missing, and stays 0 here.
  bool complete = false;

  // The queues. Heads and tails count up for ever and wrap at 2^32; only differences mean
  // something.
  std::uint32_t sq_size = 0;  ///< entries
  std::uint32_t sq_head = 0;  ///< moved by the kernel: SQEs it took
  std::uint32_t sq_tail = 0;  ///< moved by the program: SQEs it published
  std::uint32_t cq_size = 0;  ///< entries
  std::uint32_t cq_head = 0;  ///< moved by the program: CQEs it read
  std::uint32_t cq_tail = 0;  ///< moved by the kernel: CQEs it wrote

  std::vector<UnreadCqe> cqes;  ///< the unread ones, oldest first; on a CQE32 ring their first half
  std::uint32_t overflowed = 0;     ///< completions for which the CQ had no room
  std::vector<std::uint8_t> polls;  ///< the operations that wait for a file to become ready

  pid_t sq_thread = -1;           ///< the polling thread's id (SQPOLL), or -1
  std::uint64_t sq_total_us = 0;  ///< its CPU time, all of it (Linux 6.9; else 0)
  std::uint64_t sq_work_us = 0;   ///< of this, the part in which it had something to do

  std::uint32_t files = 0;       ///< places in the table of registered files
  std::uint32_t files_used = 0;  ///< of these, with a file in it
  std::uint32_t buffers = 0;     ///< registered buffers

  /// SQEs that the program published and the kernel has not taken.
  std::uint32_t published() const noexcept { return sq_tail - sq_head; }
  /// CQEs in the CQ that the program has not read.
  std::uint32_t unread() const noexcept { return cq_tail - cq_head; }
  /// Requests taken without a CQE, by the heads and tails alone. Too small, even negative, where
  /// multishot operations post; too large where IOSQE_CQE_SKIP_SUCCESS is used.
  std::int32_t unanswered() const noexcept {
    return static_cast<std::int32_t>(sq_head - cq_tail - overflowed);
  }
};

/// A thread that sleeps in io_uring_enter(2), and for what.
struct RingWaiter {
  pid_t thread;           ///< its id, as gettid(2) gives it
  int fd;                 ///< of the ring; -1 when the ring's fd is a registered one
  unsigned min_complete;  ///< it wakes when so many CQEs are unread
};

/// Which threads the kernel made for this process's rings.
struct RingThreads {
  unsigned workers = 0;  ///< iou-wrk: operations that would block run there
  unsigned pollers = 0;  ///< iou-sqp: one per SQPOLL ring, or one for several
};

/// Parses the text of a ring's fdinfo. Lines that it does not know are passed over.
RingState parse_ring_state(std::string_view text);

/// The state in plain sentences, what stands in the way first. Never empty.
std::vector<std::string> explain(const RingState& state);

/// "RECV" for 27, as in IORING_OP_RECV; "operation 99" for one that this table does not know.
std::string operation_name(unsigned opcode);

/// The rings of one process.
class Trace {
 public:
  /// Lists the process's rings once.
  /// @throws std::system_error ESRCH: no such process; EACCES: not the same user and not root
  explicit Trace(pid_t pid);

  /// The process that was asked for.
  pid_t pid() const noexcept { return pid_; }

  /// The file descriptors that are rings, in rising order. A ring that was made with
  /// IORING_SETUP_REGISTERED_FD_ONLY has none and cannot be seen from outside.
  const std::vector<int>& rings() const noexcept { return rings_; }

  /// Rings whose fd was closed and whose memory is still mapped (io_uring_close_ring_fd): they
  /// work, and fdinfo does not show them.
  unsigned rings_without_fd() const;

  /// Reads one ring. When its lock is taken, tries again after a millisecond.
  /// @param tries the state is returned incomplete after so many
  /// @throws std::system_error ENOENT: the fd or the process is gone; EACCES: not permitted
  RingState read(int fd, unsigned tries = 100) const;

  /// The threads that wait in io_uring_enter right now. Empty also where /proc does not tell.
  std::vector<RingWaiter> waiters() const;

  /// Counted now, by their names in /proc. None where /proc does not tell.
  RingThreads threads() const;

 private:
  pid_t pid_;
  std::vector<int> rings_;
};

}  // namespace lab
