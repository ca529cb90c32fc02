// A way to one reactor that can be shut: then each message there fails, and the connection that it
// should have brought is still the acceptor's. The kernel itself refuses one for lack of memory,
// which no test can ask for; here it is because a descriptor is no ring for a while.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/engine/handover.hpp"

namespace lab {

/// Shut at first. It outlives its handover.
class Gate {
 public:
  /// REQUIRES: the reactor has started, and the acceptor has not.
  void stand_before(Handover& handover) {
    ring_ = Fd(dup(handover.reactor_fd));
    check_errno(ring_.get(), "dup");
    handover.reactor_fd = way_.get();
  }
  /// From any thread, as often as it likes.
  void open() { lead_to(ring_); }
  void shut() { lead_to(nowhere_); }

 private:
  void lead_to(const Fd& where) { check_errno(dup3(where.get(), way_.get(), O_CLOEXEC), "dup3"); }

  const Fd nowhere_{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  const Fd way_{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  Fd ring_;
};

}  // namespace lab
