// Counts what a thread takes from the heap, by standing in for malloc. For one source of a test
// program: it defines the functions themselves. A sanitizer has an allocator of its own, and
// nothing is counted there.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace lab::test {

inline thread_local constinit bool counting = false;  ///< in this thread, from now on
inline std::atomic<unsigned long> allocations{0};
inline std::atomic<unsigned long> frees{0};

#ifdef LAB_SANITIZED
inline constexpr bool allocations_are_counted = false;
#else
inline constexpr bool allocations_are_counted = true;
#endif

}  // namespace lab::test

#ifndef LAB_SANITIZED

// glibc's own allocator under the names that it exports for this; operator new comes here too.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) {
  if (lab::test::counting) ++lab::test::allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  if (lab::test::counting) ++lab::test::allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  if (lab::test::counting) ++lab::test::allocations;
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  if (lab::test::counting) ++lab::test::allocations;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
void free(void* memory) {
  if (lab::test::counting && memory != nullptr) ++lab::test::frees;
  __libc_free(memory);
}
}

#endif
