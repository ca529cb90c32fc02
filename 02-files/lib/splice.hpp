// Moves bytes between a pipe and anything else, or copies them from pipe to pipe, without a buffer
// of the program.
//   splice_.start(ring, {.from = file, .from_offset = 0, .to = pipe_write_end, .bytes_max =
//   65536});
#pragma once

#include <cstdint>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

/// res: bytes moved, maybe fewer than asked for, 0 at the end of the input, or -errno (-EINVAL:
/// neither side is a pipe). It always runs on a worker thread of the kernel.
/// Source: io_uring_prep_splice(3), Linux 5.7; tee Linux 5.8.
class Splice : public Completion {
 public:
  static constexpr std::int64_t no_offset = -1;  ///< for pipes, and for the file's own position

  /// From where, where to, how much.
  struct What {
    const Fd& from;                        ///< stays open until the CQE
    std::int64_t from_offset = no_offset;  ///< bytes; REQUIRES no_offset for a pipe
    const Fd& to;                          ///< stays open until the CQE
    std::int64_t to_offset = no_offset;    ///< bytes; REQUIRES no_offset for a pipe
    unsigned bytes_max;                    ///< a pipe has room for 64 KiB unless it was made larger
    unsigned flags = 0;                    ///< SPLICE_F_*
    unsigned sqe_flags = 0;                ///< IOSQE_*: links
  };

  using Completion::Completion;

  /// REQUIRES: one of the two is a pipe.
  void start(Ring& ring, const What& what) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_splice(sqe, what.from.get(), what.from_offset, what.to.get(), what.to_offset,
                         what.bytes_max, what.flags);
    io_uring_sqe_set_flags(sqe, what.sqe_flags);
    ring.arm(sqe, *this);
  }

  /// Copies what is in one pipe into another and leaves it where it is. REQUIRES: both are pipes.
  void start_tee(Ring& ring, const Fd& from, const Fd& to, unsigned bytes_max) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_tee(sqe, from.get(), to.get(), bytes_max, 0);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
