// How much of a file is in the page cache.
#pragma once

#include "02-files/lib/fd.hpp"

namespace lab {

/// From 0 to 1. Who may not write the file is told that all of it is there; so are the callers of
/// an empty file and of one that cannot be mapped. Source: mincore(2), Linux 5.2.
double cached_share(const Fd& file) noexcept;

}  // namespace lab
