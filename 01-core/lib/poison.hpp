// Marks memory that belongs to the kernel, so that AddressSanitizer stops whoever touches it too
// early. The sanitizer does not see what the kernel writes; this makes our side of the bargain
// visible.
//   poison(buffer, size);    // given to the kernel
//   unpoison(buffer, size);  // its CQE has come
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define LAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LAB_ASAN 1
#endif
#endif

#ifdef LAB_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace lab {

/// From now on the memory is the kernel's. Whole buffers of a multiple of 8 bytes only: the
/// sanitizer's shadow is that coarse. Nothing happens in other builds.
inline void poison([[maybe_unused]] const void* memory,
                   [[maybe_unused]] std::size_t size) noexcept {
#ifdef LAB_ASAN
  __asan_poison_memory_region(memory, size);
#endif
}

/// The memory is ours again.
inline void unpoison([[maybe_unused]] const void* memory,
                     [[maybe_unused]] std::size_t size) noexcept {
#ifdef LAB_ASAN
  __asan_unpoison_memory_region(memory, size);
#endif
}

}  // namespace lab
