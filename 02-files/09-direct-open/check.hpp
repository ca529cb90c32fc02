// Has a hundred files read and counts descriptors meanwhile. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

namespace exercise {

constexpr unsigned slots = 4;

struct File {
  std::string path;
  std::string memory;  ///< room for all of it
  int read = 0;        ///< to be filled in: the result of the read
};

inline long most_descriptors = 0;

/// Slots, a bit each. A slot is in use from its open to the moment when all answers are taken.
struct Slots {
  unsigned in_use = 0;
  unsigned closing = 0;
  int most = 0;  ///< in use at the same time
};
inline Slots watched;

/// Notes which slots the prepared SQEs open and close.
inline void watch_slots(const io_uring& ring) {
  const bool all_taken = *ring.cq.khead == *ring.sq.khead;
  if (all_taken) {
    watched.in_use &= ~watched.closing;
    watched.closing = 0;
  }
  const unsigned queued = io_uring_sq_ready(&ring);
  for (unsigned index = 0; index < queued; ++index) {
    const io_uring_sqe& sqe = ring.sq.sqes[(ring.sq.sqe_head + index) & ring.sq.ring_mask];
    const bool open = sqe.opcode == IORING_OP_OPENAT || sqe.opcode == IORING_OP_OPENAT2;
    const bool named = sqe.file_index >= 1 && sqe.file_index <= slots;
    const unsigned bit = named ? 1U << (sqe.file_index - 1) : 0;
    if (open) watched.in_use |= bit;
    if (open) watched.closing &= ~bit;
    if (sqe.opcode == IORING_OP_CLOSE) watched.closing |= bit;
  }
  watched.most = std::max(watched.most, std::popcount(watched.in_use));
}

inline long open_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return std::distance(begin(folder), end(folder));
}

/// Submits, waits for `count` answers, and counts the open descriptors.
inline void submit_and_wait(io_uring& ring, unsigned count) {
  watch_slots(ring);
  lab::need(io_uring_submit_and_wait(&ring, count), "io_uring_submit_and_wait");
  most_descriptors = std::max(most_descriptors, open_descriptors());
}

/// Reads each file into its memory. The ring has a table of four slots and 16 entries.
using ReadFiles = void (*)(io_uring& ring, std::vector<File>& files);

inline int judge(io_uring& ring, ReadFiles read_files) {
  std::vector<File> files(100);
  for (std::size_t index = 0; index < files.size(); ++index) {
    File& file = files[index];
    file.path = lab::temporary_folder() + "/" + std::to_string(index);
    const std::string text = "this is file " + std::to_string(index);
    const int fd = lab::need_errno(open(file.path.c_str(), O_WRONLY | O_CREAT, 0600), "open");
    lab::need_errno(static_cast<int>(write(fd, text.data(), text.size())), "write");
    close(fd);
    file.memory.resize(text.size());
  }
  lab::need(io_uring_register_files_sparse(&ring, slots), "io_uring_register_files_sparse");
  const long before = open_descriptors();
  read_files(ring, files);
  for (std::size_t index = 0; index < files.size(); ++index) {
    const std::string name = "file " + std::to_string(index) + ": ";
    const std::string text = "this is file " + std::to_string(index);
    if (files[index].read != static_cast<int>(text.size()))
      lab::fail(name + "the read's result is " + std::to_string(files[index].read),
                "did its open succeed? Slots are 0 to 3. Did the chain before it close the slot?");
    if (files[index].memory != text)
      lab::fail(name + "it holds \"" + files[index].memory + "\"",
                "a slot was used for another file before this one was read");
  }
  if (most_descriptors > before)
    lab::fail("descriptors were open on the way", "open into a slot, not into a descriptor");
  if (watched.most < static_cast<int>(slots))
    lab::fail("of the 4 slots at most " + std::to_string(watched.most) + " were in use at once",
              "queue four chains, each in a slot of its own, before exercise::submit_and_wait()");
  for (int slot = 0; slot < static_cast<int>(slots); ++slot) {
    char byte = 0;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, slot, &byte, 1, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    const int res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    if (res != -EBADF)
      lab::fail("slot " + std::to_string(slot) + " is still open",
                "close each slot after its read");
  }
  std::printf("100 files read through 4 slots, no descriptor\n");
  return lab::ok();
}

}  // namespace exercise
