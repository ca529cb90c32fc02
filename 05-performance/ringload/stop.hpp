// Ctrl-C: the first one ends the run in order, with a report of what was measured so far.
#pragma once

#include <atomic>

namespace lab {

/// True from the first signal on. Every loop that waits for the server looks at it.
inline std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not wait for a lock");

}  // namespace lab
