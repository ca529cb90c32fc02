// shows: the same 2048 blocks read in order and at random, one at a time and 32 at a time
// needs: Linux 5.6
// try:   ./lab run 02-02 128; then in a folder on another disk: TMPDIR=/where ./lab run 02-02
#include <fcntl.h>
#include <liburing.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned block_size = 4096;
constexpr unsigned blocks = 2048;

// [walk block]
// Each block begins with its own number, so a reader can tell whether it got the right one.
struct alignas(block_size) Block {
  std::uint32_t number;
  char filler[block_size - sizeof(std::uint32_t)];
};
// [/walk]

// tmpfs takes O_DIRECT from Linux 6.6 on, and answers from memory all the same.
const char* where_from(int direct) {
  if (direct < 0) return "no O_DIRECT here: from the page cache";
  struct statfs about {};
  lab::need_errno(fstatfs(direct, &about), "fstatfs");
  return about.f_type == TMPFS_MAGIC ? "tmpfs: from memory, not from a disk" : "O_DIRECT";
}

int make_file() {
  const std::string path = lab::temporary_folder() + "/blocks";
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  for (std::uint32_t number = 0; number < blocks; ++number) {
    const Block block{number, {}};
    lab::need_errno(static_cast<int>(write(fd, &block, sizeof block)), "write");
  }
  lab::need_errno(fdatasync(fd), "fdatasync");
  close(fd);
  // [walk open]
  // O_DIRECT goes past the page cache, which would answer everything at once.
  const int direct = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  std::printf("# %s\n", where_from(direct));
  return direct >= 0 ? direct : lab::need_errno(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open");
  // [/walk]
}

// Reads the blocks in the given order with `depth` reads in flight. Returns the time in ms.
double read_all(io_uring& ring, int fd, const std::vector<std::uint32_t>& order, unsigned depth,
                unsigned& wrong) {
  // [walk start]
  std::vector<Block> memory(depth);
  std::vector<std::uint32_t> wanted(depth);
  unsigned started = 0;
  unsigned done = 0;
  const auto start = [&](unsigned piece) {
    wanted[piece] = order[started++];
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, fd, &memory[piece], block_size,
                       std::uint64_t{wanted[piece]} * block_size);
    io_uring_sqe_set_data64(sqe, piece);
  };
  // [/walk]
  const auto begin = std::chrono::steady_clock::now();
  // [walk loop]
  for (unsigned piece = 0; piece < depth; ++piece) start(piece);
  while (done < blocks) {
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      const auto piece = static_cast<unsigned>(io_uring_cqe_get_data64(cqe));
      const int res = lab::need(cqe->res, "read");
      io_uring_cqe_seen(&ring, cqe);
      ++done;
      if (res != block_size || memory[piece].number != wanted[piece]) ++wrong;
      if (started < blocks) start(piece);
    }
  }
  // [/walk]
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return took.count();
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[depth]: reads in flight, compared with 1 (default 32)");
  const auto depth = static_cast<unsigned>(lesson.argument(1, 32, 1, 1024));
  const int fd = make_file();
  io_uring ring;
  lab::need(io_uring_queue_init(depth, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  std::vector<std::uint32_t> in_order(blocks);
  std::iota(in_order.begin(), in_order.end(), 0);
  std::vector<std::uint32_t> at_random = in_order;
  std::shuffle(at_random.begin(), at_random.end(), std::mt19937(7));
  for (const bool random : {false, true}) {
    for (const unsigned in_flight : {1U, depth}) {
      unsigned wrong = 0;
      const double took = read_all(ring, fd, random ? at_random : in_order, in_flight, wrong);
      const char* pattern = random ? "at random" : "in order";
      std::printf("%s, %s: wrong blocks: %s\n", pattern, in_flight == 1 ? "one" : "many",
                  wrong == 0 ? "none" : "some");
      std::printf("# %-9s %4u in flight: %7.1f ms, %8.0f reads/s\n", pattern, in_flight, took,
                  blocks / took * 1000);
    }
  }
  close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
