// Makes what was written survive a power cut. It covers what had been written when it runs, so it
// is linked behind the write or started after the write's CQE.
//   write_.start(ring, log, {.bytes = batch, .offset = end, .flags = IOSQE_IO_LINK});
//   fsync_.start(ring, log, Fsync::What::data);
#pragma once

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

/// res: 0, or -errno. -EIO means that pages may be lost: what they held must be written again.
/// Source: io_uring_prep_fsync(3), Linux 5.1. It always runs on a worker thread of the kernel.
class Fsync : public Completion {
 public:
  /// How much of the file has to be on the disk.
  enum class What {
    data,  ///< the bytes and the length: fdatasync(2)
    all    ///< times and permissions, too: fsync(2)
  };

  using Completion::Completion;

  /// The descriptor stays open until it is submitted.
  void start(Ring& ring, const Fd& file, What what) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_fsync(sqe, file.get(), what == What::data ? IORING_FSYNC_DATASYNC : 0U);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
