// Whether a file can be polled (--iopoll), found out before the run: a driver without poll queues
// refuses each operation, and one that lies would let the run wait for ever.
#pragma once

#include <string>

#include "02-files/lib/fd.hpp"

namespace lab {

/// Reads a block with IORING_SETUP_IOPOLL.
/// @throws std::runtime_error when the device refuses, or gives no answer within two seconds
void probe_iopoll(const Fd& file, const std::string& name);

}  // namespace lab
