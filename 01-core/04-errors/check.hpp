// Judges the exercise of 01-core/04-errors: six reads that go differently. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace check {

enum class What { not_submitted, failed, at_the_end, short_read, whole };

struct Outcome {
  What what;
  int error;  // an errno for the first two, else 0
};

using ReadOnce = Outcome (*)(io_uring& ring, int fd, char* buffer, unsigned size);

inline std::string in_words(const Outcome& outcome) {
  static constexpr std::array words{"not submitted", "failed", "at the end", "short", "whole"};
  const std::string what = words.at(static_cast<std::size_t>(outcome.what));
  return outcome.error == 0 ? what : what + " (" + std::strerror(outcome.error) + ")";
}

inline void compare(const char* read, const Outcome& yours, const Outcome& wanted,
                    const char* look) {
  if (in_words(yours) == in_words(wanted)) return;
  lab::fail(std::string(read) + " is \"" + in_words(yours) + "\" to you, and was \"" +
                in_words(wanted) + "\"",
            look);
}

inline int judge(int argc, char** argv, ReadOnce read_once) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const std::string path = lab::temporary_folder() + "/ten_bytes";
  const int file = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(file, "0123456789", 10)), "write");
  const int empty = lab::need_errno(open("/dev/null", O_RDONLY | O_CLOEXEC), "open");
  const int folder = lab::need_errno(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");

  char buffer[64];
  errno = 0;
  const char* result = "YOUR TURN 2: res is -errno, and errno itself is untouched";
  compare("a read of descriptor -1", read_once(ring, -1, buffer, sizeof buffer),
          {What::failed, EBADF}, result);
  compare("a read of a folder", read_once(ring, folder, buffer, sizeof buffer),
          {What::failed, EISDIR}, result);
  const char* number = "YOUR TURN 3: only the number of bytes tells";
  compare("64 bytes of a file of 10", read_once(ring, file, buffer, sizeof buffer),
          {What::short_read, 0}, number);
  compare("a read of /dev/null", read_once(ring, empty, buffer, sizeof buffer),
          {What::at_the_end, 0}, number);
  compare("10 bytes of a file of 10", read_once(ring, file, buffer, 10), {What::whole, 0}, number);
  io_uring_queue_exit(&ring);

  // A ring that was never enabled refuses every submit.
  io_uring disabled;
  lab::need(io_uring_queue_init(8, &disabled, IORING_SETUP_R_DISABLED), "io_uring_queue_init");
  lesson.watch(disabled);
  compare("a read on a ring that is disabled", read_once(disabled, file, buffer, 10),
          {What::not_submitted, EBADFD}, "YOUR TURN 1: submit returns -errno too");
  io_uring_queue_exit(&disabled);
  for (const int fd : {file, empty, folder}) close(fd);
  std::printf("6 reads, and you know what became of each\n");
  return lab::ok();
}

}  // namespace check
