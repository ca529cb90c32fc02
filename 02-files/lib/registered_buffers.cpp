#include "02-files/lib/registered_buffers.hpp"

#include <sys/uio.h>

#include <vector>

#include "01-core/lib/check.hpp"

namespace lab {

RegisteredBuffers::RegisteredBuffers(Ring& ring, std::span<std::byte> memory,
                                     std::size_t buffer_size)
    : ring_(ring), memory_(memory), buffer_size_(buffer_size) {
  LAB_ASSERT(buffer_size > 0);
  LAB_ASSERT(memory.size() % buffer_size == 0);
  std::vector<iovec> buffers;
  for (unsigned index = 0; index < count(); ++index) {
    buffers.push_back({buffer(index).data(), buffer_size});
  }
  check(io_uring_register_buffers(ring.raw(), buffers.data(), count()),
        "io_uring_register_buffers (is ulimit -l large enough?)");
}

RegisteredBuffers::~RegisteredBuffers() { io_uring_unregister_buffers(ring_.raw()); }

}  // namespace lab
