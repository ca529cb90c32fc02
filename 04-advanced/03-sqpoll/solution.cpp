// Makes SQEs visible to the kernel's thread, and wakes it: one solution.
// `./lab exercise 04-03` runs it; check.hpp judges it.
#include "04-advanced/03-sqpoll/check.hpp"

namespace {

void publish(io_uring& ring) {
  ring.sq.sqe_head = ring.sq.sqe_tail;
  io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const unsigned flags = IO_URING_READ_ONCE(*ring.sq.kflags);
  if ((flags & IORING_SQ_NEED_WAKEUP) != 0) exercise::wake(ring);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return exercise::Judge(lesson).run(&publish);
}
