// One way to do it.
#include <array>

#include "02-files/04-cp/check.hpp"

namespace {

constexpr unsigned block_size = 16 * 1024;

// The range [offset, end) is this block's until it is written.
struct Block {
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  bool reading = false;
  std::array<char, block_size> memory;
};

std::array<Block, 32> blocks;

void read(io_uring& ring, int from, Block& block) {
  block.reading = true;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, from, block.memory.data(),
                     static_cast<unsigned>(block.end - block.offset), block.offset);
  io_uring_sqe_set_data(sqe, &block);
}

void write(io_uring& ring, int to, Block& block, int size) {
  block.reading = false;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, to, block.memory.data(), static_cast<unsigned>(size), block.offset);
  io_uring_sqe_set_data(sqe, &block);
}

void copy(io_uring& ring, int from, int to, std::uint64_t size) {
  std::uint64_t next = 0;
  unsigned in_flight = 0;
  const auto take_next_range = [&](Block& block) {
    if (next >= size) return;
    block.offset = next;
    block.end = next = std::min(next + block_size, size);
    read(ring, from, block);
    ++in_flight;
  };
  for (Block& block : blocks) take_next_range(block);
  while (in_flight > 0) {
    exercise::submit_and_wait(ring);
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      Block& block = *static_cast<Block*>(io_uring_cqe_get_data(cqe));
      const int res = lab::need(cqe->res, block.reading ? "read" : "write");
      io_uring_cqe_seen(&ring, cqe);
      if (block.reading) {
        write(ring, to, block, res);
        continue;
      }
      // What was not read or not written of the range is read once more.
      block.offset += static_cast<unsigned>(res);
      if (block.offset < block.end) {
        read(ring, from, block);
        continue;
      }
      --in_flight;
      take_next_range(block);
    }
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
