// Reads from a file, a pipe or a terminal, by descriptor or by slot.
//
// Lifetime: the memory is the kernel's until the CQE. Short is normal: 0 alone is the end.
//   Bind<Read, &Copy::on_read> read_{*this};
//   read_.start(ring, file, {.memory = block, .offset = at});
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// The file's own position, which the operation moves; the only one that pipes have.
inline constexpr std::uint64_t own_position = ~std::uint64_t{0};

/// res: bytes read, 0 at the end, or -errno (-ECANCELED: cancelled, or a link before it broke).
/// Source: io_uring_prep_read(3), Linux 5.6; with a registered buffer Linux 5.1.
class Read : public Completion {
 public:
  /// Where to, and from where.
  struct What {
    std::span<std::byte> memory;          ///< is filled from its front; the kernel's until the CQE
    std::uint64_t offset = own_position;  ///< in bytes from the file's beginning
    int registered_buffer = -1;           ///< index of the registered buffer that memory lies in
    unsigned flags = 0;                   ///< IOSQE_*: links
  };

  using Completion::Completion;

  /// From a descriptor, which stays open until it is submitted.
  void start(Ring& ring, const Fd& file, const What& what) noexcept {
    start(ring, file.get(), 0, what);
  }
  /// From a slot of the ring's table.
  void start(Ring& ring, FileSlot slot, const What& what) noexcept {
    start(ring, index(slot), IOSQE_FIXED_FILE, what);
  }

 private:
  void start(Ring& ring, int file, unsigned file_flags, const What& what) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    const auto size = static_cast<unsigned>(what.memory.size());
    if (what.registered_buffer >= 0) {
      io_uring_prep_read_fixed(sqe, file, what.memory.data(), size, what.offset,
                               what.registered_buffer);
    } else {
      io_uring_prep_read(sqe, file, what.memory.data(), size, what.offset);
    }
    io_uring_sqe_set_flags(sqe, file_flags | what.flags);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
