// Copies files of awkward sizes block by block and compares. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace exercise {

constexpr unsigned block_size = 4096;

struct Results {
  int read = 0;
  int write = 0;
};

/// A chain of a read and a write of one block, as in the lesson.
inline Results run_chain(io_uring& ring, int from, int to, char* memory, std::uint64_t offset) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, from, memory, block_size, offset);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  io_uring_sqe_set_data64(sqe, 0);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, to, memory, block_size, offset);
  io_uring_sqe_set_data64(sqe, 1);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");
  Results results;
  for (int count = 0; count < 2; ++count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    (io_uring_cqe_get_data64(cqe) == 0 ? results.read : results.write) = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  return results;
}

/// Finishes one block after its chain has run.
/// @return bytes of the block that are in `to` now, 0 at the end of `from`, or -errno
using Finish = int (*)(io_uring& ring, int to, const char* memory, std::uint64_t offset,
                       Results results);

class Judge {
 public:
  Judge(io_uring& ring, Finish finish) : ring_(ring), finish_(finish) {}

  int run() {
    for (const std::size_t size : {0U, 1U, 4096U, 8192U, 10'000U}) copy_one(size);
    failing_read();
    failing_write(block_size, "a write of the chain that failed");
    failing_write(10, "a write after a short read that failed");
    return lab::ok();
  }

 private:
  void copy_one(std::size_t size) {
    std::string original;
    for (int number = 0; original.size() < size; ++number) original += std::to_string(number);
    original.resize(size);
    const int from = make_file("/from", original);
    const int to = make_file("/to", "");
    std::array<char, block_size> memory{};
    std::uint64_t offset = 0;
    for (int blocks = 0;; ++blocks) {
      const Results results = run_chain(ring_, from, to, memory.data(), offset);
      const int done = finish_(ring_, to, memory.data(), offset, results);
      if (done == 0) break;
      if (done < 0)
        lab::fail(std::to_string(size) + " bytes: finish() says " + std::strerror(-done),
                  "-ECANCELED is the write's result because the read was short: no error of yours");
      if (blocks > 10) lab::fail("the copy does not end", "at the end of the file return 0");
      offset += static_cast<unsigned>(done);
    }
    std::string copied(size + block_size, '\0');
    const ssize_t got = pread(to, copied.data(), copied.size(), 0);
    copied.resize(static_cast<std::size_t>(lab::need_errno(static_cast<int>(got), "pread")));
    if (copied != original)
      lab::fail(
          std::to_string(size) + " bytes: " + std::to_string(copied.size()) + " are in the copy",
          "what the short read brought is in memory, and nobody has written it");
    std::printf("%zu bytes: the same\n", size);
    close(from);
    close(to);
  }

  // A read that failed has brought nothing; its write was cancelled, too.
  void failing_read() {
    std::array<char, block_size> memory{};
    const int to = make_file("/to", "");
    const Results results = run_chain(ring_, -1, to, memory.data(), 0);
    const int done = finish_(ring_, to, memory.data(), 0, results);
    if (done != -EBADF)
      lab::fail("a read that failed with EBADF: finish() returned " + std::to_string(done),
                "pass on the read's error");
    std::printf("a read that failed: reported\n");
    close(to);
  }

  // `to` cannot be written: by the chain when the file is a whole block, else by your own write.
  void failing_write(unsigned size, const char* name) {
    std::array<char, block_size> memory{};
    const int from = make_file("/from", std::string(size, 'x'));
    close(make_file("/to", ""));
    const std::string path = lab::temporary_folder() + "/to";
    const int to = lab::need_errno(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open");
    const Results results = run_chain(ring_, from, to, memory.data(), 0);
    const int done = finish_(ring_, to, memory.data(), 0, results);
    if (done != -EBADF)
      lab::fail(std::string(name) + " with EBADF: finish() returned " + std::to_string(done),
                "pass on the result of the write that ran last");
    std::printf("%s: reported\n", name);
    close(from);
    close(to);
  }

  static int make_file(const char* name, const std::string& bytes) {
    const std::string path = lab::temporary_folder() + name;
    const int fd =
        lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "open");
    lab::need_errno(static_cast<int>(write(fd, bytes.data(), bytes.size())), "write");
    return fd;
  }

  io_uring& ring_;
  Finish finish_;
};

}  // namespace exercise
