// Opens a file into the process's descriptors or, without one, into the ring's table.
//   open_.start(ring, "page.html", {.flags = O_RDONLY});            res: a descriptor
//   open_.start_direct(ring, "page.html", {.flags = O_RDONLY});     res: a FileSlot
#pragma once

#include <fcntl.h>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// res: the descriptor or the slot, or -errno (-ENFILE: the ring's table is full). The path is read
/// at submission, and may go after it.
/// Source: io_uring_prep_openat(3), Linux 5.6; into a slot of the kernel's choice Linux 5.19.
class Open : public Completion {
 public:
  /// What open(2) is told beside the path.
  struct How {
    int flags = O_RDONLY;    ///< as open(2); O_CLOEXEC only means something for a descriptor
    mode_t mode = 0644;      ///< of a file that is created
    int folder = AT_FDCWD;   ///< what a relative path is relative to
    unsigned sqe_flags = 0;  ///< IOSQE_*: links
  };

  using Completion::Completion;

  /// Into a descriptor, which is the caller's to close. The path lives until it is submitted.
  void start(Ring& ring, const char* path, const How& how) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_openat(sqe, how.folder, path, how.flags, how.mode);
    io_uring_sqe_set_flags(sqe, how.sqe_flags);
    ring.arm(sqe, *this);
  }

  /// Into a slot that the kernel picks. REQUIRES: a FileTable on the ring.
  void start_direct(Ring& ring, const char* path, const How& how) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_openat_direct(sqe, how.folder, path, how.flags & ~O_CLOEXEC, how.mode,
                                IORING_FILE_INDEX_ALLOC);
    io_uring_sqe_set_flags(sqe, how.sqe_flags);
    ring.arm(sqe, *this);
  }

  /// Into this slot, whatever is in it is closed. For chains, where the next SQE must name it.
  void start_direct(Ring& ring, const char* path, const How& how, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_openat_direct(sqe, how.folder, path, how.flags & ~O_CLOEXEC, how.mode,
                                static_cast<unsigned>(slot));
    io_uring_sqe_set_flags(sqe, how.sqe_flags);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
