// LAB_ASSERT: what only a bug can break. On in release builds too: a server that goes on after a
// broken invariant hands one client's bytes to another. One condition each, so the message names
// what broke.
//   LAB_ASSERT(!completion.armed());
#pragma once

#include <cstdio>
#include <cstdlib>

namespace lab::detail {

[[noreturn]] inline void assertion_failed(const char* condition, const char* file,
                                          int line) noexcept {
  std::fprintf(stderr, "%s:%d: LAB_ASSERT(%s) is false: a bug, stopping before it spreads\n", file,
               line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace lab::detail

/// Aborts with file, line and condition when `condition` is false.
#define LAB_ASSERT(condition)                        \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::lab::detail::assertion_failed(#condition, __FILE__, __LINE__))
