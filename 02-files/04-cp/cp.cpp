// shows: a copy that keeps several blocks in flight, each of them reading or writing
// needs: Linux 5.6
// try:   ./lab run 02-04 1; ./lab run 02-04 64: what changes in the line of figures?
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned block_size = 16 * 1024;

// [walk block]
// One range of the file, and the memory for it. Exactly one operation of a block is in flight, so
// nobody else touches the memory: it is read into, then written from, then read into again.
struct Block {
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  unsigned filled = 0;
  unsigned written = 0;
  bool reading = false;
  std::array<char, block_size> memory;
};
// [/walk]

class Copy {
 public:
  Copy(io_uring& ring, int from, int to, unsigned depth)
      : ring_(ring), from_(from), to_(to), blocks_(depth) {}

  void run() {
    struct stat status {};
    lab::need_errno(fstat(from_, &status), "fstat");
    size_ = static_cast<std::uint64_t>(status.st_size);
    // [walk run]
    for (Block& block : blocks_) take_next_range(block);
    while (in_flight_ > 0) {
      most_in_flight_ = std::max(most_in_flight_, in_flight_);
      lab::need(io_uring_submit_and_wait(&ring_, 1), "io_uring_submit_and_wait");
      io_uring_cqe* cqe = nullptr;
      while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
        Block& block = *static_cast<Block*>(io_uring_cqe_get_data(cqe));
        const int res = lab::need(cqe->res, block.reading ? "read" : "write");
        io_uring_cqe_seen(&ring_, cqe);
        --in_flight_;
        block.reading ? on_read(block, res) : on_write(block, res);
      }
    }
    // [/walk]
  }

  unsigned most_in_flight() const { return most_in_flight_; }

 private:
  // [walk range]
  void take_next_range(Block& block) {
    if (next_ >= size_) return;
    block.offset = next_;
    block.end = std::min(next_ + block_size, size_);
    next_ = block.end;
    read(block);
  }
  // [/walk]

  // [walk read]
  void read(Block& block) {
    block.reading = true;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_read(sqe, from_, block.memory.data(), block_size, block.offset);
    io_uring_sqe_set_data(sqe, &block);
    ++in_flight_;
  }
  // [/walk]

  // [walk on-read]
  void on_read(Block& block, int res) {
    if (res == 0) lab::fail("the file has become shorter while it was copied");
    block.filled = static_cast<unsigned>(res);
    block.written = 0;
    write(block);
  }
  // [/walk]

  void write(Block& block) {
    block.reading = false;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_write(sqe, to_, block.memory.data() + block.written, block.filled - block.written,
                        block.offset + block.written);
    io_uring_sqe_set_data(sqe, &block);
    ++in_flight_;
  }

  // [walk on-write]
  // A short write: the rest. A short read before it: the rest of the range. Else the next range.
  void on_write(Block& block, int res) {
    block.written += static_cast<unsigned>(res);
    if (block.written < block.filled) return write(block);
    block.offset += block.filled;
    if (block.offset < block.end) return read(block);
    take_next_range(block);
  }
  // [/walk]

  io_uring& ring_;
  int from_;
  int to_;
  std::vector<Block> blocks_;
  std::uint64_t size_ = 0;
  std::uint64_t next_ = 0;
  unsigned in_flight_ = 0;
  unsigned most_in_flight_ = 0;
};

int make_file(const char* name, const std::string& bytes) {
  const std::string path = lab::temporary_folder() + name;
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(fd, bytes.data(), bytes.size())), "write");
  return fd;
}

std::string contents(int fd) {
  std::string bytes(16 << 20, '\0');
  const auto size = pread(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<std::size_t>(lab::need_errno(static_cast<int>(size), "pread")));
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[depth]: blocks in flight (default 8)");
  const auto depth = static_cast<unsigned>(lesson.argument(1, 8, 1, 256));
  std::string original;
  for (int number = 0; original.size() < 4'000'000; ++number) original += std::to_string(number);
  const int from = make_file("/from", original);
  const int to = make_file("/to", "");

  io_uring ring;
  lab::need(io_uring_queue_init(depth, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const auto begin = std::chrono::steady_clock::now();
  Copy copy(ring, from, to, depth);
  copy.run();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;

  std::printf("# %u blocks of 16 KiB in flight: %.1f ms\n", depth, took.count());
  std::printf("most in flight: %s\n",
              copy.most_in_flight() == depth ? "as many as blocks" : "fewer");
  const std::string copied = contents(to);
  std::printf("sizes: %zu and %zu\n", original.size(), copied.size());
  std::printf("the same bytes: %s\n", copied == original ? "yes" : "no");
  close(from);
  close(to);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
