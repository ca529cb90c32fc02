// One large piece of memory, in the largest pages to be had, touched at start: later there is no
// page fault and few TLB misses.
//   HugeArena arena(buffers * buffer_size);
//   BufferRing ring_of_buffers(ring, {.count = buffers, .size = buffer_size}, arena.memory());
#pragma once

#include <cstddef>
#include <span>

namespace lab {

/// Explicit huge pages where some are reserved, else transparent ones, else ordinary pages.
class HugeArena {
 public:
  /// Which pages the memory is made of, the largest first.
  enum class Pages {
    huge,         ///< reserved ones (vm.nr_hugepages)
    transparent,  ///< the kernel makes them when it has some: madvise(2), MADV_HUGEPAGE
    plain         ///< ordinary ones, of 4 KiB on most machines
  };

  /// Maps and touches at least `size` bytes, on the NUMA node of the thread that calls.
  /// @param largest plain: ordinary pages alone. Registered memory is charged to RLIMIT_MEMLOCK by
  /// its pages: a small buffer in a huge page costs 2 MiB of the limit
  /// @throws std::system_error when there is no memory
  explicit HugeArena(std::size_t size, Pages largest = Pages::huge);
  ~HugeArena();
  HugeArena(const HugeArena&) = delete;
  HugeArena& operator=(const HugeArena&) = delete;

  /// As many bytes as were asked for, all zero at first. Gone with this object.
  std::span<std::byte> memory() const noexcept { return {memory_, size_}; }

  /// What the kernel really gave, as /proc/self/smaps tells it.
  Pages pages() const noexcept { return pages_; }
  /// pages() in words, for people.
  const char* pages_name() const noexcept;

 private:
  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;    ///< as asked for
  std::size_t mapped_ = 0;  ///< whole huge pages
  Pages pages_ = Pages::plain;
};

}  // namespace lab
