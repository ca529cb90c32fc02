// Copies files of awkward sizes and counts how much was in flight. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"

namespace exercise {

inline unsigned most_in_flight = 0;

/// io_uring_submit_and_wait() for one answer, and a look at how many operations were submitted
/// whose answers the program has not taken yet.
inline void submit_and_wait(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  most_in_flight = std::max(most_in_flight, *ring.sq.khead - *ring.cq.khead);
}

/// Copies `size` bytes of `from` to `to`, which is empty.
using Copy = void (*)(io_uring& ring, int from, int to, std::uint64_t size);

class Judge {
 public:
  Judge(io_uring& ring, Copy copy) : ring_(ring), copy_(copy) {}

  int run() {
    for (const std::size_t size : {0UL, 1UL, 4095UL, (1UL << 20) + 1}) {
      most_in_flight = 0;
      copy_one(size);
      std::printf("%zu bytes: the same, most in flight %u\n", size, most_in_flight);
    }
    if (most_in_flight < 16)
      lab::fail("1 MiB was copied with " + std::to_string(most_in_flight) + " in flight, not 16",
                "start several blocks before you wait, and give a free block the next range");
    if (most_in_flight > 32)
      lab::fail("more in flight than there are 32 blocks",
                "a block is busy from its read until the end of its write");
    return lab::ok();
  }

 private:
  void copy_one(std::size_t size) {
    std::string original;
    for (int number = 0; original.size() < size; ++number) original += std::to_string(number);
    original.resize(size);
    const int from = make_file("/from", original);
    const int to = make_file("/to", "");
    copy_(ring_, from, to, size);
    std::string copied(size + (1 << 16), '\0');
    const ssize_t got = pread(to, copied.data(), copied.size(), 0);
    copied.resize(static_cast<std::size_t>(lab::need_errno(static_cast<int>(got), "pread")));
    close(from);
    close(to);
    const std::string name = std::to_string(size) + " bytes: ";
    if (copied.size() != size)
      lab::fail(name + "the copy has " + std::to_string(copied.size()),
                "write as many bytes as the read brought, and read until size is reached");
    if (copied != original)
      lab::fail(name + "other bytes than in the original",
                "is a block read into while it is still being written? Does each write name its "
                "own offset?");
  }

  static int make_file(const char* name, const std::string& bytes) {
    const std::string path = lab::temporary_folder() + name;
    const int fd =
        lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "open");
    lab::need_errno(static_cast<int>(write(fd, bytes.data(), bytes.size())), "write");
    return fd;
  }

  io_uring& ring_;
  Copy copy_;
};

}  // namespace exercise
