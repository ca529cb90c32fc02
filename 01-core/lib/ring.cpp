#include "01-core/lib/ring.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

// The queues are shared with the kernel: a tail is read with acquire and written with release, so
// that the entry is complete before the other side sees it.
unsigned load_acquire(unsigned* value) noexcept {
  return std::atomic_ref<unsigned>(*value).load(std::memory_order_acquire);
}
unsigned load_relaxed(unsigned* value) noexcept {
  return std::atomic_ref<unsigned>(*value).load(std::memory_order_relaxed);
}
void store_release(unsigned* value, unsigned to) noexcept {
  std::atomic_ref<unsigned>(*value).store(to, std::memory_order_release);
}

const char* setup_hint(int error) noexcept {
  switch (error) {
    case ENOSYS:
      return "io_uring_setup (this kernel has no io_uring, or a sandbox hides it)";
    case EPERM:
      return "io_uring_setup (switched off: see kernel.io_uring_disabled, or the container's "
             "seccomp "
             "profile)";
    case ENOMEM:
      return "io_uring_setup (not enough locked memory: see ulimit -l, or ask for fewer entries)";
    case EINVAL:
      return "io_uring_setup (a set-up flag is unknown: Linux 6.1 or newer is needed; or the "
             "numbers of "
             "entries: SQ at most 32768, CQ at most 65536 and no less than SQ)";
    default:
      return "io_uring_setup";
  }
}

// EINTR, EAGAIN and EBUSY leave what was not taken in the queue; the next call takes it. Some
// refusals come from outside of the program: a filter of system calls in the middle of the run, no
// memory for a completion, a polling thread that was killed. The loop cannot throw, and completions
// that nobody will bring cannot be waited for. Anything else is a broken ring. Apart from the loop,
// whose straight line stays short.
[[gnu::cold, gnu::noinline]] void judge_failed_enter(int res) noexcept {
  if (res == -EINTR || res == -EAGAIN || res == -EBUSY || res == -ETIME) return;
  const bool refused =
      res == -EPERM || res == -EACCES || res == -ENOSYS || res == -EBADR || res == -EOWNERDEAD;
  LAB_ASSERT(refused);
  std::fprintf(stderr, "io_uring_enter: %s: the ring cannot go on, this process ends\n",
               std::strerror(-res));
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

Ring::Ring(const RingOptions& options) {
  if (options.stand_in != nullptr) {
    ring_ = options.stand_in->queues;
    replace_kernel(options.stand_in->kernel);
    return;
  }
  io_uring_params params{};
  params.cq_entries = options.cq_entries != 0 ? options.cq_entries : 2 * options.sq_entries;
  const unsigned base = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                        (options.sqpoll ? IORING_SETUP_SQPOLL : IORING_SETUP_DEFER_TASKRUN) |
                        (options.iopoll ? IORING_SETUP_IOPOLL : 0U) |
                        (options.disabled ? IORING_SETUP_R_DISABLED : 0U);
  if (options.sqpoll) params.sq_thread_idle = 1000;
  params.flags = base | IORING_SETUP_NO_SQARRAY;
  int res = io_uring_queue_init_params(options.sq_entries, &ring_, &params);
  if (res == -EINVAL) {  // Linux before 6.6 has the index array
    params.flags = base;
    res = io_uring_queue_init_params(options.sq_entries, &ring_, &params);
  }
  check(res, setup_hint(-res));
  made_ = true;
  // A registered ring fd spares the file lookup in every enter; without it all works as well.
  registered_fd_ = io_uring_register_ring_fd(&ring_) == 1;
  // A filter of system calls may allow the set-up and nothing else. Here it can still be thrown.
  if (!options.disabled) {
    res = enter_kernel(nullptr, *this, 0, 0);
    if (res < 0) io_uring_queue_exit(&ring_);
    check(res,
          "io_uring_enter (the ring was made and may not be used: does a seccomp profile allow "
          "io_uring_setup alone? Cure: one that allows io_uring_enter and io_uring_register, "
          "too)");
  }
  now_ns_ = clock_kernel(nullptr);
}

Ring::~Ring() {
  LAB_ASSERT(armed_count_ == 0);
  if (made_) io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::sqe() noexcept {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    enter(0);
    if ((ring_.flags & IORING_SETUP_SQPOLL) != 0) io_uring_sqring_wait(&ring_);
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

void Ring::reserve(unsigned count) noexcept {
  LAB_ASSERT(count <= ring_.sq.ring_entries);
  while (io_uring_sq_space_left(&ring_) < count) enter(0);
}

void Ring::arm(io_uring_sqe* sqe, Completion& completion) noexcept {
  LAB_ASSERT(!completion.armed_);
  LAB_ASSERT(!completion.standing_);
  LAB_ASSERT((sqe->flags & IOSQE_CQE_SKIP_SUCCESS) == 0);
  completion.armed_ = true;
  ++armed_count_;
  io_uring_sqe_set_data(sqe, &completion);
}

void Ring::submit_unowned(io_uring_sqe* sqe) noexcept {
  io_uring_sqe_set_data(sqe, static_cast<Completion*>(&unowned_));
}

unsigned Ring::run_once(unsigned wait_for) noexcept {
  enter(wait_for);
  return drain();
}

void Ring::deliver(Completion& completion, Cqe cqe) noexcept {
  if (!completion.standing_) {
    LAB_ASSERT(completion.armed_);
    if (!cqe.more()) {
      completion.armed_ = false;
      --armed_count_;
    }
  }
  completion.handler_(completion, cqe);
}

void Ring::replace_kernel(const Kernel& kernel) noexcept {
  LAB_ASSERT(armed_count_ == 0);
  kernel_ = kernel;
  now_ns_ = kernel_.now_ns(kernel_.context);
}

void Ring::Unowned::on_cqe(Completion& completion, Cqe cqe) noexcept {
  if (cqe.res < 0) ++static_cast<Unowned&>(completion).ring_.counters_.unowned_errors;
}

int Ring::enter_kernel(void*, Ring& ring, unsigned to_submit, unsigned wait_for) noexcept {
  // GETEVENTS even when nothing is waited for: with DEFER_TASKRUN completions are made only inside
  // such a call (io_uring_setup(2)).
  unsigned flags = IORING_ENTER_GETEVENTS;
  if (ring.registered_fd_) flags |= IORING_ENTER_REGISTERED_RING;
  if ((ring.ring_.flags & IORING_SETUP_SQPOLL) != 0) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if ((load_relaxed(ring.ring_.sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0) {
      flags |= IORING_ENTER_SQ_WAKEUP;
    }
  }
  return io_uring_enter(static_cast<unsigned>(ring.ring_.enter_ring_fd), to_submit, wait_for, flags,
                        nullptr);
}

std::uint64_t Ring::clock_kernel(void*) noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void Ring::enter(unsigned wait_for) noexcept {
  const unsigned to_submit = flush();
  if ((load_relaxed(ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0) ++counters_.overflows;
  const int res = kernel_.enter(kernel_.context, *this, to_submit, wait_for);
  if (res < 0) [[unlikely]]
    judge_failed_enter(res);
  // What the call returns says nothing of what an SQPOLL thread has taken; the queue's head does.
  const unsigned head = load_relaxed(ring_.sq.khead);
  counters_.submitted += head - submitted_head_;
  submitted_head_ = head;
  ++counters_.enters;
  now_ns_ = kernel_.now_ns(kernel_.context);
}

// Shows the kernel the SQEs that were filled since the last call.
unsigned Ring::flush() noexcept {
  if (ring_.sq.sqe_head != ring_.sq.sqe_tail) {
    ring_.sq.sqe_head = ring_.sq.sqe_tail;
    store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  }
  return ring_.sq.sqe_tail - load_acquire(ring_.sq.khead);
}

// Copies a batch out, gives the queue back, then runs the handlers: they may submit, and what they
// submit may complete at once into the entries that were just freed.
unsigned Ring::drain() noexcept {
  constexpr unsigned batch_max = 64;
  struct Arrival {
    Completion* completion;
    Cqe cqe;
  };
  std::array<Arrival, batch_max> batch;
  const unsigned mask = ring_.cq.ring_mask;
  unsigned head = *ring_.cq.khead;
  const unsigned tail = load_acquire(ring_.cq.ktail);
  unsigned handled = 0;
  while (head != tail) {
    const unsigned count = std::min(tail - head, batch_max);
    for (unsigned index = 0; index < count; ++index) {
      const io_uring_cqe& entry = ring_.cq.cqes[(head + index) & mask];
      batch[index] = {static_cast<Completion*>(io_uring_cqe_get_data(&entry)),
                      {entry.res, entry.flags}};
      // The owner's fields are near its completion; with many connections none of them is cached.
      __builtin_prefetch(batch[index].completion);
    }
    head += count;
    store_release(ring_.cq.khead, head);
    for (unsigned index = 0; index < count; ++index) {
      deliver(*batch[index].completion, batch[index].cqe);
    }
    handled += count;
  }
  counters_.completions += handled;
  return handled;
}

}  // namespace lab
