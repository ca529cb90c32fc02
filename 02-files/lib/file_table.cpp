#include "02-files/lib/file_table.hpp"

#include "01-core/lib/check.hpp"

namespace lab {

FileTable::FileTable(Ring& ring, unsigned size) : size_(size) {
  check(io_uring_register_files_sparse(ring.raw(), size),
        "io_uring_register_files_sparse (the table may not be larger than ulimit -n)");
}

}  // namespace lab
