// shows: what O_DIRECT asks of memory, offset and length, and how to find out
// needs: Linux 6.1 (STATX_DIOALIGN), a file system with direct I/O
// try:   ./lab run 02-10; then TMPDIR=/dev/shm ./lab run 02-10
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned size = 64 * 1024;

int answer(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

struct Alignment {
  unsigned memory = 0;
  unsigned offset = 0;  // and length
};

// [walk alignment]
Alignment ask_for_alignment(io_uring& ring, int file) {
  struct statx status {};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_statx(sqe, file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status);
  lab::need(answer(ring), "statx");
  if ((status.stx_mask & STATX_DIOALIGN) == 0)
    lab::skip("needs Linux 6.1 and a file system with direct I/O: set TMPDIR to a disk");
  return {status.stx_dio_mem_align, status.stx_dio_offset_align};
}
// [/walk]

int read_at(io_uring& ring, int file, char* memory, unsigned length, std::uint64_t offset) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, file, memory, length, offset);
  return answer(ring);
}

const char* in_words(int res) { return res < 0 ? std::strerror(-res) : "works"; }

double milliseconds_of(io_uring& ring, int file, char* memory) {
  const auto begin = std::chrono::steady_clock::now();
  for (int count = 0; count < 200; ++count) lab::need(read_at(ring, file, memory, size, 0), "read");
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return took.count();
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string path = lab::temporary_folder() + "/file";
  const int cached =
      lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  const std::string bytes(size, 'o');
  lab::need_errno(static_cast<int>(write(cached, bytes.data(), bytes.size())), "write");
  lab::need_errno(fdatasync(cached), "fdatasync");
  const int direct = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (direct < 0) lab::skip("no O_DIRECT in " + lab::temporary_folder() + ": set TMPDIR to a disk");

  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const Alignment wanted = ask_for_alignment(ring, direct);
  if (wanted.offset == 0) lab::skip("no direct I/O in this file system: set TMPDIR to a disk");
  std::printf("# memory: multiples of %u, offset and length: multiples of %u\n", wanted.memory,
              wanted.offset);

  // [walk memory]
  alignas(4096) static std::array<char, 2 * size> memory;
  char* block = memory.data();
  std::printf("aligned: %s\n", in_words(read_at(ring, direct, block, size, 0)));
  std::printf("  the file's bytes: %s\n", block[0] == 'o' && block[size - 1] == 'o' ? "yes" : "no");
  // [/walk]
  // [walk cases]
  std::printf("offset + 1: %s\n", in_words(read_at(ring, direct, block, wanted.offset, 1)));
  std::printf("length + 1: %s\n", in_words(read_at(ring, direct, block, wanted.offset + 1, 0)));
  std::printf("memory + 1: %s\n", in_words(read_at(ring, direct, block + 1, size, 0)));
  std::printf("offset + 1, through the page cache: %s\n",
              in_words(read_at(ring, cached, block, wanted.offset, 1)));
  // [/walk]

  // [walk both]
  // Both ways see the same file: a write through the cache is there for a direct read at once.
  lab::need_errno(static_cast<int>(pwrite(cached, "new", 3, 0)), "pwrite");
  lab::need(read_at(ring, direct, block, wanted.offset, 0), "read");
  std::printf("a direct read after a cached write: %.3s\n", block);
  // [/walk]

  const double cached_ms = milliseconds_of(ring, cached, block);
  std::printf("# the same 64 KiB 200 times: page cache %.1f ms, direct %.1f ms\n", cached_ms,
              milliseconds_of(ring, direct, block));
  close(cached);
  close(direct);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
