#include "06-server/lib/os/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include "01-core/lib/check.hpp"

namespace lab {

Fd memory_file(const char* name) {
  return Fd(check_errno(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
}

void seal_size(const Fd& file) {
  check_errno(fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
              "fcntl (F_ADD_SEALS)");
}

}  // namespace lab
