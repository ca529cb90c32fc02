// A descriptor for those who wait for something that has happened already.
#pragma once

#include "02-files/lib/fd.hpp"

namespace lab {

/// poll(2) says at once that it is readable, each time. @throws std::system_error
Fd always_readable();

}  // namespace lab
