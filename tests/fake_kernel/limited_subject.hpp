#pragma once

#include "06-server/lib/protocol/echo.hpp"

namespace lab::fake {

using Tested = Echo;

struct Subjected {
  Tested::Shared shared;
};

}  // namespace lab::fake
