// Writes to a file, a pipe or a terminal, by descriptor or by slot.
//
// Lifetime: the memory stays as it is until the CQE. A short write is normal: write the rest again.
//   Bind<Write, &Copy::on_write> write_{*this};
//   write_.start(ring, file, {.bytes = block, .offset = at});
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/read.hpp"

namespace lab {

/// res: bytes written, maybe fewer than asked for, or -errno (-ENOSPC, -EPIPE with SIGPIPE).
/// Source: io_uring_prep_write(3), Linux 5.6; with a registered buffer Linux 5.1.
class Write : public Completion {
 public:
  /// What, and where to.
  struct What {
    std::span<const std::byte> bytes;     ///< stay as they are until the CQE
    std::uint64_t offset = own_position;  ///< in bytes from the file's beginning
    int registered_buffer = -1;           ///< index of the registered buffer that bytes lies in
    unsigned flags = 0;                   ///< IOSQE_*: links
  };

  using Completion::Completion;

  /// To a descriptor, which stays open until it is submitted.
  void start(Ring& ring, const Fd& file, const What& what) noexcept {
    start(ring, file.get(), 0, what);
  }
  /// To a slot of the ring's table.
  void start(Ring& ring, FileSlot slot, const What& what) noexcept {
    start(ring, index(slot), IOSQE_FIXED_FILE, what);
  }

 private:
  void start(Ring& ring, int file, unsigned file_flags, const What& what) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    const auto size = static_cast<unsigned>(what.bytes.size());
    if (what.registered_buffer >= 0) {
      io_uring_prep_write_fixed(sqe, file, what.bytes.data(), size, what.offset,
                                what.registered_buffer);
    } else {
      io_uring_prep_write(sqe, file, what.bytes.data(), size, what.offset);
    }
    io_uring_sqe_set_flags(sqe, file_flags | what.flags);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
