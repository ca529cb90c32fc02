// shows: open, read and close as one chain; the file never gets a descriptor
// needs: Linux 5.19 (a table of empty slots); an optional part needs Linux 6.8
// try:   ./lab run 02-09; then swap the read and the close
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>

#include "01-core/lesson.hpp"

namespace {

enum Step : std::uint64_t { opening, reading, closing, installing, steps };
const char* const names[] = {"open", "read", "close", "install"};

long open_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return std::distance(begin(folder), end(folder));
}

// [walk chain]
// The read and the close name the slot before the open has run. So we choose it: the kernel's
// choice would come in the open's CQE, and these SQEs are written before that.
void queue_chain(io_uring& ring, const char* path, unsigned slot, char* memory, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_openat_direct(sqe, AT_FDCWD, path, O_RDONLY, 0, slot);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  io_uring_sqe_set_data64(sqe, opening);

  // Hard: the close has to come after a short read as well. A soft link would be broken by it.
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, static_cast<int>(slot), memory, size, 0);
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK);
  io_uring_sqe_set_data64(sqe, reading);

  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_close_direct(sqe, slot);
  io_uring_sqe_set_data64(sqe, closing);
}
// [/walk]

// [walk collect]
int collect(io_uring& ring, unsigned count) {
  lab::need(io_uring_submit_and_wait(&ring, count), "io_uring_submit_and_wait");
  int results[steps] = {};
  bool came[steps] = {};
  for (unsigned index = 0; index < count; ++index) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    results[io_uring_cqe_get_data64(cqe)] = cqe->res;
    came[io_uring_cqe_get_data64(cqe)] = true;
    io_uring_cqe_seen(&ring, cqe);
  }
  for (unsigned step = 0; step < steps; ++step) {
    if (!came[step]) continue;
    if (results[step] < 0) std::printf("  %s: %s\n", names[step], std::strerror(-results[step]));
    if (results[step] >= 0 && step != installing)
      std::printf("  %s: %d\n", names[step], results[step]);
  }
  return results[installing];
}
// [/walk]

// [walk install]
// The way back: an ordinary descriptor for what is in a slot, for code that needs one.
void install(io_uring& ring, const char* path) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_openat_direct(sqe, AT_FDCWD, path, O_RDONLY, 0, 1);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  io_uring_sqe_set_data64(sqe, opening);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_fixed_fd_install(sqe, 1, 0);
  io_uring_sqe_set_data64(sqe, installing);
  std::printf("a descriptor for a slot\n");
  const int fd = collect(ring, 2);
  if (fd == -EINVAL) {
    std::printf("skip install: needs Linux 6.8\n");
    return;
  }
  char text[6] = "";
  lab::need_errno(static_cast<int>(read(fd, text, 5)), "read");
  std::printf("  read(2) from it: %s\n", text);
  close(fd);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string path = lab::temporary_folder() + "/hello";
  const int fd = lab::need_errno(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(fd, "hello", 5)), "write");
  close(fd);

  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  lab::need(io_uring_register_files_sparse(&ring, 4), "io_uring_register_files_sparse");

  // [walk use]
  const long before = open_descriptors();
  char memory[16] = "";
  queue_chain(ring, path.c_str(), 0, memory, sizeof memory);
  std::printf("a file that is there\n");
  collect(ring, 3);
  std::printf("  in memory: %s\n", memory);
  queue_chain(ring, "/nowhere/nothing", 0, memory, sizeof memory);
  std::printf("a file that is not there\n");
  collect(ring, 3);
  std::printf("descriptors more than before: %ld\n", open_descriptors() - before);
  // [/walk]
  install(ring, path.c_str());

  io_uring_queue_exit(&ring);
  return lab::ok();
}
