// shows: memory that the kernel pins once, and what it refuses
// needs: Linux 5.6
// try:   ./lab run 02-07 20000; what does the line of figures say on your disk?
#include <fcntl.h>
#include <liburing.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned buffer_size = 64 * 1024;
constexpr unsigned buffers = 4;

int answer(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

std::string in_words(int res) { return res < 0 ? std::strerror(-res) : std::to_string(res); }

// [walk read]
// The SQE names the address and, beside it, the registered buffer that it lies in.
int read_fixed(io_uring& ring, int file, char* memory, unsigned size, int buffer) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read_fixed(sqe, file, memory, size, 0, buffer);
  return answer(ring);
}
// [/walk]

int read_plain(io_uring& ring, int file, char* memory, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, file, memory, size, 0);
  return answer(ring);
}

// tmpfs takes O_DIRECT from Linux 6.6 on, and answers from memory all the same.
const char* where_from(int direct) {
  if (direct < 0) return "from the page cache";
  struct statfs about {};
  lab::need_errno(fstatfs(direct, &about), "fstatfs");
  return about.f_type == TMPFS_MAGIC ? "from tmpfs, which is memory" : "O_DIRECT";
}

// [walk measure]
// Direct reads have to pin plain memory each time; registered memory is pinned already.
template <class Read>
double measure(long count, Read read) {
  const auto begin = std::chrono::steady_clock::now();
  for (long index = 0; index < count; ++index) lab::need(read(), "read");
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(count);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[reads]: how many are measured (default 500)");
  const long count = lesson.argument(1, 500, 1, 100'000);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  const std::string path = lab::temporary_folder() + "/file";
  int file = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  const std::string bytes(buffer_size, 'r');
  lab::need_errno(static_cast<int>(write(file, bytes.data(), bytes.size())), "write");
  lab::need_errno(fdatasync(file), "fdatasync");

  // [walk register]
  // One piece of memory, registered as four buffers.
  const std::size_t size = std::size_t{buffers} * buffer_size;
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) lab::need_errno(-1, "mmap");
  char* memory = static_cast<char*>(mapped);
  iovec pieces[buffers];
  for (unsigned index = 0; index < buffers; ++index) {
    pieces[index] = {.iov_base = memory + index * buffer_size, .iov_len = buffer_size};
  }
  lab::need(io_uring_register_buffers(&ring, pieces, buffers), "io_uring_register_buffers");
  // [/walk]

  // [walk cases]
  char* third = memory + 2 * buffer_size;
  std::printf("into buffer 2, all of it: %s\n",
              in_words(read_fixed(ring, file, third, buffer_size, 2)).c_str());
  std::printf("  its first byte: %s\n", third[0] == 'r' ? "the file's" : "not the file's");
  std::printf("into buffer 2, a part: %s\n",
              in_words(read_fixed(ring, file, third + 1000, 24, 2)).c_str());
  std::printf("memory of buffer 2, but named 1: %s\n",
              in_words(read_fixed(ring, file, third, 24, 1)).c_str());
  std::printf("buffer 9: %s\n", in_words(read_fixed(ring, file, third, 24, 9)).c_str());
  std::printf("registering once more: %s\n",
              in_words(io_uring_register_buffers(&ring, pieces, buffers)).c_str());
  // [/walk]

  // Past the page cache, where the file system can.
  const int direct = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (direct >= 0) {
    close(file);
    file = direct;
  }
  const double plain = measure(count, [&] { return read_plain(ring, file, memory, buffer_size); });
  const double fixed =
      measure(count, [&] { return read_fixed(ring, file, memory, buffer_size, 0); });
  std::printf("# 64 KiB %s: plain %.1f us, registered %.1f us a read\n", where_from(direct), plain,
              fixed);

  io_uring_unregister_buffers(&ring);
  munmap(mapped, size);
  close(file);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
