// A copy with one block: it reads, waits, writes, waits. `./lab exercise 02-04` runs it.
#include <array>

#include "02-files/04-cp/check.hpp"

namespace {

constexpr unsigned block_size = 16 * 1024;

// What one operation needs to know when its answer comes.
struct Block {
  std::uint64_t offset = 0;
  bool reading = false;
  std::array<char, block_size> memory;
};

// YOUR TURN 1: one block is one operation in flight. Take 32.
Block block;

int answer(io_uring& ring) {
  exercise::submit_and_wait(ring);
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  const int res = lab::need(cqe->res, block.reading ? "read" : "write");
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

void copy(io_uring& ring, int from, int to, std::uint64_t size) {
  // YOUR TURN 2: start all blocks, then wait; whoever's answer comes goes on with its own next
  // step. io_uring_cqe_get_data() tells whose it is.
  for (block.offset = 0; block.offset < size;) {
    block.reading = true;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, from, block.memory.data(), block_size, block.offset);
    const int got = answer(ring);

    block.reading = false;
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_write(sqe, to, block.memory.data(), static_cast<unsigned>(got), block.offset);
    block.offset += static_cast<unsigned>(answer(ring));
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(64, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int status = exercise::Judge(ring, &copy).run();
  io_uring_queue_exit(&ring);
  return status;
}
