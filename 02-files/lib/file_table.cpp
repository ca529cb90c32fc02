#include "02-files/lib/file_table.hpp"

#include <algorithm>
#include <array>

#include "01-core/lib/check.hpp"

namespace lab {

FileTable::FileTable(Ring& ring, unsigned size) : ring_(ring), size_(size) {
  check(io_uring_register_files_sparse(ring.raw(), size),
        "io_uring_register_files_sparse (the table may not be larger than ulimit -n)");
}

FileTable::FileTable(Ring& ring, std::span<const int> descriptors)
    : ring_(ring), size_(static_cast<unsigned>(descriptors.size())) {
  check(io_uring_register_files(ring.raw(), descriptors.data(), size_),
        "io_uring_register_files (the table may not be larger than ulimit -n)");
}

// It waits for the files, on every kernel: io_uring_unregister_files(3).
FileTable::~FileTable() { io_uring_unregister_files(ring_.raw()); }

void FileTable::empty() noexcept {
  constexpr unsigned step = 64;
  std::array<int, step> nothing;
  nothing.fill(-1);
  for (unsigned slot = 0; slot < size_; slot += step) {
    const unsigned count = std::min(step, size_ - slot);
    io_uring_register_files_update(ring_.raw(), slot, nothing.data(), count);
  }
}

}  // namespace lab
