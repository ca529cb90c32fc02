// shows: a table of open files that belongs to the ring, and not to the process
// needs: Linux 5.19 (a sparse table whose slots the kernel picks)
// try:   ./lab run 02-08; then open one file more before slot 7 is closed
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned slots = 64;
constexpr int our_slot = 60;
constexpr __u64 our_tag = 77;

long open_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return std::distance(begin(folder), end(folder));
}

// [walk answer]
// Submits what is prepared and waits for one answer.
io_uring_cqe answer(io_uring& ring) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const io_uring_cqe copy{.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}
// [/walk]

// [walk read]
// `slot` is not a descriptor: IOSQE_FIXED_FILE says so.
int read_slot(io_uring& ring, int slot, char* buffer, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, slot, buffer, size, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  return answer(ring).res;
}
// [/walk]

// [walk open]
// Opens into the table, and nowhere else. The kernel picks the slot: it is the result.
int open_into_table(io_uring& ring, const char* path) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_openat_direct(sqe, AT_FDCWD, path, O_RDONLY, 0, IORING_FILE_INDEX_ALLOC);
  return answer(ring).res;
}
// [/walk]

// [walk close]
int close_slot(io_uring& ring, unsigned slot) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_close_direct(sqe, slot);
  return answer(ring).res;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string path = lab::temporary_folder() + "/hello";
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(fd, "hello", 5)), "write");

  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  // [walk table]
  const int sparse = io_uring_register_files_sparse(&ring, slots);
  if (sparse == -EINVAL) lab::skip("needs Linux 5.19: a sparse file table");
  lab::need(sparse, "io_uring_register_files_sparse");
  // [/walk]

  // [walk register]
  // A file that is open already, with a tag. The table holds the file itself, so the descriptor may
  // be closed.
  const __u64 tag = our_tag;
  lab::need(io_uring_register_files_update_tag(&ring, our_slot, &fd, &tag, 1), "update");
  close(fd);
  // [/walk]
  char text[16];
  const int got = read_slot(ring, our_slot, text, sizeof text);
  std::printf("slot %d: %s\n", our_slot, got == 5 ? std::string(text, 5).c_str() : strerror(-got));
  std::printf("slot %d: %s\n", our_slot + 1, strerror(-read_slot(ring, our_slot + 1, text, 1)));

  // [walk fill]
  // The kernel fills the rest of the table. The process's own descriptors do not change.
  const long before = open_descriptors();
  unsigned opened = 0;
  int res = 0;
  while ((res = open_into_table(ring, path.c_str())) >= 0) ++opened;
  std::printf("opened into the table: %u, then: %s\n", opened, strerror(-res));
  std::printf("descriptors more than before: %ld\n", open_descriptors() - before);
  // [/walk]

  // [walk again]
  // A slot is handed out again at once: its number now means another file.
  lab::need(close_slot(ring, 7), "close_direct");
  std::printf("closed slot 7, opened into slot %d\n", open_into_table(ring, path.c_str()));
  // [/walk]

  // [walk tag]
  // The tag comes back as a CQE of its own once nothing uses the file any more.
  const int nothing = -1;
  lab::need(io_uring_register_files_update(&ring, our_slot, &nothing, 1), "update");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  std::printf("slot %d emptied, its tag came back: %llu\n", our_slot, io_uring_cqe_get_data64(cqe));
  io_uring_cqe_seen(&ring, cqe);
  // [/walk]

  io_uring_queue_exit(&ring);
  return lab::ok();
}
