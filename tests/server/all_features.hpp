// What this kernel has, for the tests' workers.
#pragma once

#include "01-core/lib/features.hpp"

namespace lab {

/// Tried once.
const Features& all_features();

}  // namespace lab
