// The memory of a generation while it is built: a memfd that only grows.
//
// Written with pwrite(2) and not through a mapping: when memory runs out that is an error, where a
// mapping would be a SIGBUS.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "02-files/lib/fd.hpp"

namespace lab {

/// A memfd that grows by what is appended. Lifetime: the build's; finish() hands the memory over.
class SiteArena {
 public:
  /// @param bytes_max more than that is refused
  /// @throws std::system_error
  explicit SiteArena(std::uint64_t bytes_max);

  /// Any thread may call it.
  /// @return where the bytes lie, a multiple of 64: an answer begins with a cache line
  /// @throws SiteError when memory runs out
  std::uint64_t append(std::span<const std::byte> bytes);
  /// Over what append() gave, or the first page.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Bytes so far, with what was left between them.
  std::uint64_t size() const noexcept { return used_.load(std::memory_order_relaxed); }
  /// The memfd, for reading back what was written. It stays the arena's.
  int fd() const noexcept { return memory_.get(); }
  /// No more bytes, and it can never shrink, which would be a SIGBUS in every process that maps it.
  Fd finish();

 private:
  std::uint64_t bytes_max_;
  Fd memory_;
  std::atomic<std::uint64_t> used_;
};

}  // namespace lab
