// The last turns of a ring: what is still armed ends before the objects do that it points to.
#pragma once

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"

namespace lab {

/// Cancels all that is armed, until nothing is.
inline void end_ring(Ring& ring) {
  struct Ignore {
    void on_done(Cqe) noexcept {}
    Bind<Cancel, &Ignore::on_done> cancel{*this};
  } ignore;
  while (ring.armed_count() > 0) {
    if (!ignore.cancel.armed()) ignore.cancel.start_all(ring);
    ring.run_once();
  }
}

}  // namespace lab
