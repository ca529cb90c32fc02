// Direct descriptors: files that live in the ring's own table and never in the process's. A
// FileSlot is an index into that table; a slot is not a connection, for the kernel hands a closed
// slot out again at once.
#pragma once

#include <cstdint>

#include "01-core/lib/ring.hpp"

namespace lab {

/// An index into the ring's file table.
enum class FileSlot : std::uint32_t {};

inline int index(FileSlot slot) noexcept { return static_cast<int>(slot); }

/// A sparse table whose slots the kernel picks (IORING_FILE_INDEX_ALLOC, Linux 5.19).
/// Lifetime: as long as the ring.
class FileTable {
 public:
  /// @param size at most RLIMIT_NOFILE of the process (EMFILE above it)
  /// @throws std::system_error
  FileTable(Ring& ring, unsigned size);

  unsigned size() const noexcept { return size_; }

 private:
  unsigned size_;
};

/// Gives a slot back. Closing sends a FIN, but only when nothing is armed on the slot: an operation
/// in flight keeps the file open and goes on. So its results are joined first. res: 0, or -EBADF
/// for an empty slot. Source: io_uring_prep_close_direct(3), Linux 5.15.
class CloseSlot : public Completion {
 public:
  using Completion::Completion;

  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_close_direct(sqe, static_cast<unsigned>(slot));
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
