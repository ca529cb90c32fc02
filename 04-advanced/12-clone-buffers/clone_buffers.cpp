// shows: registered buffers that a second ring takes over without pinning them again
// needs: Linux 6.12; replacing one of them: 6.13; vectored reads into one: 6.15
// try:   ./lab run 04-12; then double buffer_size, and see which lines change
#include <fcntl.h>
#include <liburing.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

constexpr unsigned buffer_size = 256 * 1024;
constexpr unsigned buffers = 4;

// Root may lock memory without limit, and Linux 7.2 does not count what the rings of such a process
// pin. So it becomes like others: it gives that right up and has a limit.
void lock_like_others() {
  if (geteuid() != 0) return;
  const rlimit limit{.rlim_cur = 64 << 20, .rlim_max = 64 << 20};
  setrlimit(RLIMIT_MEMLOCK, &limit);  // where it is refused, the limit stays as it was
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct rights[_LINUX_CAPABILITY_U32S_3]{};
  lab::need_errno(static_cast<int>(syscall(SYS_capget, &header, rights)), "capget");
  rights[0].effective &= ~(1U << CAP_IPC_LOCK);
  lab::need_errno(static_cast<int>(syscall(SYS_capset, &header, rights)), "capset");
}

// What the kernel charges this process for memory that must not move. proc(5)
void show_pinned(const char* when) {
  std::ifstream status("/proc/self/status");
  std::string word;
  long kib = -1;
  while (status >> word && word != "VmPin:") continue;
  status >> kib;
  std::printf("%s: %ld KiB pinned\n", when, kib);
}

char* map_memory(std::size_t size) {
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) lab::need_errno(-1, "mmap");
  madvise(mapped, size, MADV_NOHUGEPAGE);  // a huge page would be charged as a whole
  std::memset(mapped, 0, size);
  return static_cast<char*>(mapped);
}

void show(io_uring& ring, const char* what) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (cqe->res >= 0) std::printf("%s: %d bytes\n", what, cqe->res);
  if (cqe->res < 0) std::printf("%s: %s\n", what, std::strerror(-cqe->res));
  io_uring_cqe_seen(&ring, cqe);
}

void read_fixed(io_uring& ring, int file, char* memory, int buffer, const char* what) {
  io_uring_prep_read_fixed(io_uring_get_sqe(&ring), file, memory, 10, 0, buffer);
  show(ring, what);
}

// [walk clone-one]
// Copies one entry, over what is at that index.
int clone_one(io_uring& to, io_uring& from, unsigned index) {
  constexpr unsigned flags = IORING_REGISTER_DST_REPLACE;
  return io_uring_clone_buffers_offset(&to, &from, index, index, 1, flags);
}
// [/walk]

// [walk replace]
// A clone is a copy of the table as it is now. What the source changes later does not reach it.
void replace_one(io_uring& first, io_uring& second, int file, iovec other) {
  lab::need(io_uring_register_buffers_update_tag(&first, 2, &other, nullptr, 1),
            "io_uring_register_buffers_update_tag");
  char* memory = static_cast<char*>(other.iov_base);
  read_fixed(second, file, memory, 2, "second ring, into the source's new buffer 2");
  const int res = clone_one(second, first, 2);
  if (res == -EBUSY) {
    std::printf("skip replacing buffer 2: needs Linux 6.13\n");
    return;
  }
  lab::need(res, "io_uring_clone_buffers_offset");
  read_fixed(second, file, memory, 2, "the same, when buffer 2 was cloned once more");
}
// [/walk]

// Two pieces with one request, both in buffer 0.
void read_vectored(io_uring& ring, int file, char* buffer_0) {
  // [walk vectored]
  const iovec pieces[] = {{.iov_base = buffer_0, .iov_len = 4},
                          {.iov_base = buffer_0 + 4096, .iov_len = 6}};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_readv(sqe, file, pieces, 2, 0);
  sqe->opcode = lab::compat::op_readv_fixed;  // liburing 2.9 has no helper for it
  sqe->buf_index = 0;
  // [/walk]
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (cqe->res == -EINVAL) {
    std::printf("skip vectored: needs Linux 6.15\n");
  } else {
    std::printf("vectored: \"%.4s\" and \"%.6s\"\n", buffer_0, buffer_0 + 4096);
  }
  io_uring_cqe_seen(&ring, cqe);
}

double since_us(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string path = lab::temporary_folder() + "/file";
  const int file = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(file, "HeadBodies", 10)), "write");
  char* memory = map_memory(std::size_t{buffers + 1} * buffer_size);
  iovec pieces[buffers + 1];
  for (unsigned index = 0; index <= buffers; ++index) {
    pieces[index] = {.iov_base = memory + std::size_t{index} * buffer_size, .iov_len = buffer_size};
  }

  lock_like_others();
  io_uring first, second;
  lab::need(io_uring_queue_init(8, &first, 0), "io_uring_queue_init");
  lab::need(io_uring_queue_init(8, &second, 0), "io_uring_queue_init");
  lesson.watch(second);
  // [walk register]
  auto begin = std::chrono::steady_clock::now();
  lab::need(io_uring_register_buffers(&first, pieces, buffers), "io_uring_register_buffers");
  std::printf("# registering 4 buffers: %.1f us\n", since_us(begin));
  show_pinned("registered with the first ring");

  lab::need(io_uring_register_buffers(&second, pieces, buffers), "io_uring_register_buffers");
  show_pinned("registered with the second as well");
  lab::need(io_uring_unregister_buffers(&second), "io_uring_unregister_buffers");
  // [/walk]

  // [walk clone]
  begin = std::chrono::steady_clock::now();
  const int cloned = io_uring_clone_buffers(&second, &first);
  if (cloned == -EINVAL) lab::skip("needs Linux 6.12: cloning registered buffers");
  lab::need(cloned, "io_uring_clone_buffers");
  std::printf("# cloning them: %.1f us\n", since_us(begin));
  show_pinned("cloned instead");
  read_fixed(second, file, memory, 0, "second ring, into buffer 0");
  // [/walk]
  replace_one(first, second, file, pieces[buffers]);

  // [walk gone]
  io_uring_unregister_buffers(&first);
  io_uring_queue_exit(&first);
  show_pinned("the first ring is gone");
  std::memset(memory, 0, 10);
  read_fixed(second, file, memory, 0, "second ring, into buffer 0");
  std::printf("what stands there now: \"%.10s\"\n", memory);
  // [/walk]
  read_vectored(second, file, memory);

  io_uring_unregister_buffers(&second);
  show_pinned("the second has unregistered them");
  io_uring_queue_exit(&second);
  munmap(memory, std::size_t{buffers + 1} * buffer_size);
  close(file);
  return lab::ok();
}
