// What is left to do when a chain of read and write has run. `./lab exercise 02-05` runs it.
#include "02-files/05-linked-cp/check.hpp"

namespace {

int finish([[maybe_unused]] io_uring& ring, [[maybe_unused]] int to,
           [[maybe_unused]] const char* memory, [[maybe_unused]] std::uint64_t offset,
           exercise::Results results) {
  // YOUR TURN 1: what if the read failed, or was the end of the file?

  // YOUR TURN 2: a short read has cancelled the write. How many bytes are in memory, and how do
  // they get to `to`?
  return results.write;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int status = exercise::Judge(ring, &finish).run();
  io_uring_queue_exit(&ring);
  return status;
}
