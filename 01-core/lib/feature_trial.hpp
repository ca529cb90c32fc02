// One feature of io_uring, tried once, on a ring and loopback sockets of its own.
#pragma once

#include "01-core/lib/features.hpp"

namespace lab {

/// Takes a millisecond or so, and at most some tenths of a second. Never throws for a missing
/// feature.
/// @return 0 when it works, otherwise the errno that trying it gave; ENOSYS for each of them in a
/// build without io_uring
int try_feature(Feature feature);

}  // namespace lab
