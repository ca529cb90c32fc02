// libuv's event loop: what a ring is to the other engine.
//
// Lifetime: every handle on it is closed, and its callback has come, before it dies.
#pragma once

#include <uv.h>

#include <cstdint>
#include <system_error>

#include "01-core/lib/assert.hpp"

namespace lab {

/// libuv's errors are negative errno values where there is errno; set-up turns them into
/// exceptions.
/// @throws std::system_error with `what` in front
inline void check_uv(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

/// One thread's.
class UvLoop {
 public:
  /// libuv 1.45 to 1.48 would read files by a ring of its own: that is switched off.
  /// @throws std::system_error
  UvLoop() {
    uv_os_setenv("UV_USE_IO_URING", "0");
    check_uv(uv_loop_init(&loop_), "uv_loop_init");
  }
  ~UvLoop() { LAB_ASSERT(uv_loop_close(&loop_) == 0); }
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  uv_loop_t* raw() noexcept { return &loop_; }  ///< for calls of libuv
  /// Milliseconds, when the loop last came back from waiting.
  std::uint64_t now_ms() const noexcept { return uv_now(&loop_); }

  /// Runs the callbacks of what is there; waits for something first, where that is asked for.
  void run_once(bool waits) noexcept { uv_run(&loop_, waits ? UV_RUN_ONCE : UV_RUN_NOWAIT); }
  /// Until every handle is closed.
  void run_to_end() noexcept { uv_run(&loop_, UV_RUN_DEFAULT); }

 private:
  uv_loop_t loop_;
};

/// A handle of libuv's that is closed once, and lives until its callback.
template <class Handle>
uv_handle_t* as_handle(Handle& handle) noexcept {
  return reinterpret_cast<uv_handle_t*>(&handle);
}

}  // namespace lab
