// Makes SQEs visible to the kernel's thread, and hangs as soon as that thread sleeps.
// `./lab exercise 04-03` runs it; check.hpp judges it.
#include "04-advanced/03-sqpoll/check.hpp"

namespace {

void publish(io_uring& ring) {
  ring.sq.sqe_head = ring.sq.sqe_tail;
  io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);

  // YOUR TURN 1: a full fence, so that the flag is read after the tail is written.

  // YOUR TURN 2: the thread may be asleep. If the ring says so, call exercise::wake(ring).
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return exercise::Judge(lesson).run(&publish);
}
