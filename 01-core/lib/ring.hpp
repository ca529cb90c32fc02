// One io_uring: queued SQEs go out and completions come in with one system call, run_once().
//
// Lifetime: the ring outlives every Completion armed on it; ~Ring asserts that none is armed.
// Rule: one thread makes the ring and uses it (IORING_SETUP_SINGLE_ISSUER). liburing stays visible:
//   io_uring_sqe* sqe = ring.sqe();
//   io_uring_prep_nop(sqe);
//   ring.arm(sqe, completion);
#pragma once

#include <liburing.h>

#include <cstdint>

#include "01-core/lib/completion.hpp"

namespace lab {

class Ring;

/// Where the kernel comes in. Tests put a model of the kernel in its place, and a supervisor where
/// there is no io_uring something that does without; nobody else does.
struct Kernel {
  /// Submits `to_submit` queued SQEs and waits until `wait_for` completions are there, as
  /// io_uring_enter(2).
  int (*enter)(void* context, Ring& ring, unsigned to_submit, unsigned wait_for) noexcept;
  /// Monotonic time in nanoseconds.
  std::uint64_t (*now_ns)(void* context) noexcept;
  void* context;  ///< handed to both functions as it is
};

/// Queues in plain memory, and who takes from them and puts into them: a ring without io_uring.
/// Lifetime: outlives the ring.
struct StandIn {
  io_uring queues;  ///< as io_uring_queue_init(3) leaves them
  Kernel kernel;    ///< who stands at their other end
};

/// How a ring is made. Which sizes fit which use: RingPreset (05-performance).
struct RingOptions {
  unsigned sq_entries = 256;  ///< rounded up to a power of two by the kernel, at most 32768
  unsigned cq_entries = 0;    ///< 0: twice sq_entries. At most 65536
  bool sqpoll = false;        ///< a kernel thread submits (costs a core; see 04-advanced/03-sqpoll)
  bool iopoll = false;        ///< completions are looked for, not interrupted for: only reads and
                              ///< writes with O_DIRECT on a device with poll queues (and NOPs)
  bool disabled = false;      ///< IORING_SETUP_R_DISABLED and never enabled: for the fake kernel
  const StandIn* stand_in = nullptr;  ///< no ring is made, and nothing above counts
};

/// What the ring did so far. System calls are what an engine like this saves, so they are counted.
struct RingCounters {
  std::uint64_t enters = 0;       ///< io_uring_enter calls
  std::uint64_t submitted = 0;    ///< SQEs
  std::uint64_t completions = 0;  ///< CQEs
  std::uint64_t overflows = 0;    ///< times the CQ was found overflowed; nothing is lost (NODROP)
  std::uint64_t unowned_errors = 0;  ///< failed operations of submit_unowned()
};

/// One submission queue and one completion queue, with the loop's one system call. The kernel's
/// part is io_uring_setup(2) and io_uring_enter(2); Linux 6.1 is needed.
class Ring {
 public:
  /// Makes the ring with SINGLE_ISSUER | DEFER_TASKRUN | SUBMIT_ALL (Linux 6.1), NO_SQARRAY (6.6)
  /// and the registered ring fd (5.18) where the kernel has them. With sqpoll: SQPOLL instead of
  /// DEFER_TASKRUN, for the two exclude each other.
  /// @throws std::system_error; ENOSYS, EPERM and ENOMEM have their causes listed by ./lab doctor.
  /// A call of io_uring_enter(2) that a filter refuses is found here, and not in the loop
  explicit Ring(const RingOptions& options = {});
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// An empty SQE, never null: when the queue is full, what is in it goes out first. That cuts a
  /// chain of linked SQEs in two, so whoever links calls reserve() before the first of them.
  io_uring_sqe* sqe() noexcept;

  /// Makes sure that the next `count` calls of sqe() do not submit. REQUIRES count <= sq_entries.
  void reserve(unsigned count) noexcept;

  /// Ties the prepared SQE to its completion, which is armed from here on.
  /// REQUIRES: not armed yet, and the SQE without IOSQE_CQE_SKIP_SUCCESS (its success would never
  /// come).
  void arm(io_uring_sqe* sqe, Completion& completion) noexcept;

  /// For an SQE that points to no memory, or to memory that never dies, and whose success nobody
  /// waits for; failures are counted.
  void submit_unowned(io_uring_sqe* sqe) noexcept;

  /// Submits what is queued, waits for at least `wait_for` completions, and runs the handlers of
  /// all that are there. One system call.
  /// @return the number of completions handled
  unsigned run_once(unsigned wait_for = 1) noexcept;

  /// The only place that knows F_MORE: disarms on the last CQE, then calls the handler.
  void deliver(Completion& completion, Cqe cqe) noexcept;

  /// Monotonic time of the latest return from the kernel, in nanoseconds.
  std::uint64_t now_ns() const noexcept { return now_ns_; }

  /// Operations for which the kernel still owes the last CQE.
  unsigned armed_count() const noexcept { return armed_count_; }

  /// Since the ring was made.
  const RingCounters& counters() const noexcept { return counters_; }

  /// The set-up flags that are in force (IORING_SETUP_*).
  unsigned setup_flags() const noexcept { return ring_.flags; }
  /// True when the ring's descriptor is registered (Linux 5.18): a call then needs
  /// IORING_ENTER_REGISTERED_RING.
  bool registered_fd() const noexcept { return registered_fd_; }

  /// For liburing's register calls and for tests; the queues are the ring's own business.
  io_uring* raw() noexcept { return &ring_; }

  /// Puts a model in the kernel's place. REQUIRES: nothing armed.
  void replace_kernel(const Kernel& kernel) noexcept;

 private:
  struct Unowned final : Completion {
    explicit Unowned(Ring& ring) noexcept : Completion(&on_cqe, Standing::yes), ring_(ring) {}
    static void on_cqe(Completion& completion, Cqe cqe) noexcept;
    Ring& ring_;
  };

  static int enter_kernel(void* context, Ring& ring, unsigned to_submit,
                          unsigned wait_for) noexcept;
  static std::uint64_t clock_kernel(void* context) noexcept;

  void enter(unsigned wait_for) noexcept;
  unsigned flush() noexcept;
  unsigned drain() noexcept;

  io_uring ring_{};
  Kernel kernel_{&enter_kernel, &clock_kernel, nullptr};
  bool registered_fd_ = false;
  bool made_ = false;  ///< by the kernel, which wants it back
  unsigned armed_count_ = 0;
  unsigned submitted_head_ = 0;  ///< the SQ's head when it was last looked at
  std::uint64_t now_ns_ = 0;
  RingCounters counters_;
  Unowned unowned_{*this};
};

}  // namespace lab
