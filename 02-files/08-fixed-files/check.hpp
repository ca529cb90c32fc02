// Judges the exercise of 02-files/08-fixed-files: six files through two slots. Nobody edits this
// file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>

#include "01-core/lesson.hpp"

namespace check {

inline constexpr int slots = 2;

using ReadThrough = int (*)(io_uring& ring, int slot, int fd, char* buffer, unsigned size);

inline long open_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return std::distance(begin(folder), end(folder));
}

inline int make_file(int number, const std::string& text) {
  const std::string path = lab::temporary_folder() + "/" + std::to_string(number);
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(fd, text.data(), text.size())), "write");
  return fd;
}

// What a read of the slot gives, without a look at what the learner wrote.
inline int read_slot(io_uring& ring, int slot) {
  char byte = 0;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, slot, &byte, 1, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

inline int judge(int argc, char** argv, ReadThrough read_through) {
  lab::Lesson lesson(argc, argv);
  // What a read of slot 0 or 1 as a descriptor would hit: files that nobody asked for.
  const int other = make_file(99, "the wrong file");
  for (int fd = 0; fd < slots; ++fd) {
    if (fd != STDOUT_FILENO) lab::need_errno(dup2(other, fd), "dup2");
  }
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int sparse = io_uring_register_files_sparse(&ring, slots);
  if (sparse == -EINVAL) lab::skip("needs Linux 5.19: a sparse file table");
  lab::need(sparse, "io_uring_register_files_sparse");

  const long before = open_descriptors();
  for (int number = 0; number < 6; ++number) {
    const std::string name = "file " + std::to_string(number);
    const int slot = number % slots;
    char text[32];
    const int res = read_through(ring, slot, make_file(number, name), text, sizeof text);
    if (res < 0)
      lab::fail(name + ": " + std::strerror(-res), "YOUR TURN 2: a slot is no descriptor");
    const std::string got(text, static_cast<std::size_t>(res));
    if (got != name) {
      lab::fail("slot " + std::to_string(slot) + " should give \"" + name + "\", you read \"" +
                    got + "\"",
                "YOUR TURN 2: without the flag the number is a descriptor of the process");
    }
    if (open_descriptors() != before) {
      lab::fail(name + " is read, and its descriptor is still open", "close it (YOUR TURN 1)");
    }
    if (read_slot(ring, slot) != -EBADF) {
      lab::fail(name + " is read, and slot " + std::to_string(slot) + " still holds it",
                "an update with -1 empties a slot (YOUR TURN 3)");
    }
  }
  io_uring_queue_exit(&ring);
  std::printf("6 files through 2 slots, and nothing stayed open\n");
  return lab::ok();
}

}  // namespace check
