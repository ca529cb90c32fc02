// The supervisor's ring, or, where there is no io_uring, what does for it.
#pragma once

#include <optional>

#include "01-core/lib/check.hpp"
#include "01-core/lib/ring.hpp"
#include "06-server/lib/process/poll_kernel.hpp"

namespace lab {

/// Lifetime: its supervisor's.
class SupervisorRing {
 public:
  /// @param real false: by poll(2)
  /// @throws std::system_error
  explicit SupervisorRing(bool real) : ring_(make(real)) {
    // A mapping in a worker would keep the ring alive after our death, and with it the requests
    // that hold the control sockets: the workers would not see their end. madvise(2), MADV_DONTFORK
    if (real) check(io_uring_ring_dontfork(ring_.raw()), "io_uring_ring_dontfork");
  }

  Ring& ring() noexcept { return ring_; }  ///< the same to everybody who uses it

 private:
  RingOptions make(bool real) {
    if (!real) stand_in_ = instead_.emplace().stand_in();
    return {.sq_entries = 256, .stand_in = real ? nullptr : &stand_in_};
  }

  std::optional<PollKernel> instead_;
  StandIn stand_in_{};
  Ring ring_;
};

}  // namespace lab
