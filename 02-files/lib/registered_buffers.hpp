// Memory that the kernel has pinned once, so that a read or write of it need not pin it each time.
//
// Lifetime: the memory outlives it, and it dies before its Ring. Nothing may be in flight on the
// buffers then. Rule: an operation names the buffer by index and any part of it by address.
//   RegisteredBuffers buffers(ring, arena.memory(), 65536);
//   read_.start(ring, file, {.memory = buffers.buffer(2), .offset = 0, .registered_buffer = 2});
#pragma once

#include <cstddef>
#include <span>

#include "01-core/lib/ring.hpp"

namespace lab {

/// One piece of memory, registered as equal buffers with the indices 0, 1, 2, ...
/// Source: io_uring_register_buffers(3), Linux 5.1.
class RegisteredBuffers {
 public:
  /// @param buffer_size bytes; memory.size() is a multiple of it, and there are at most 16384
  /// @throws std::system_error ENOMEM: above RLIMIT_MEMLOCK, which this memory is charged to;
  /// EINVAL: too many; EBUSY: the ring has buffers already
  RegisteredBuffers(Ring& ring, std::span<std::byte> memory, std::size_t buffer_size);
  ~RegisteredBuffers();
  RegisteredBuffers(const RegisteredBuffers&) = delete;
  RegisteredBuffers& operator=(const RegisteredBuffers&) = delete;

  /// Buffers; their indices are 0 to count() - 1.
  unsigned count() const noexcept { return static_cast<unsigned>(memory_.size() / buffer_size_); }
  /// The whole buffer. REQUIRES: index < count().
  std::span<std::byte> buffer(unsigned index) const noexcept {
    LAB_ASSERT(index < count());
    return memory_.subspan(index * buffer_size_, buffer_size_);
  }

 private:
  Ring& ring_;
  std::span<std::byte> memory_;
  std::size_t buffer_size_;
};

}  // namespace lab
