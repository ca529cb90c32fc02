#pragma once

#include "06-server/lib/protocol/echo.hpp"
#include "tests/fake_kernel/wrapping.hpp"

namespace lab::fake {

using Tested = Wrapping<Wrapping<Echo>>;
static_assert(Protocol<Tested>);

struct Subjected {
  Tested::Shared shared;
};

}  // namespace lab::fake
