#pragma once

#include "tests/fake_kernel/awkward.hpp"

namespace lab::fake {

using Tested = Awkward;

struct Subjected {
  Tested::Shared shared;
};

}  // namespace lab::fake
