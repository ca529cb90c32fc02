#pragma once

#include <cstdint>

#include "06-server/lib/protocol/echo.hpp"
#include "06-server/lib/protocol/tls/tls.hpp"
#include "tests/fake_kernel/tls_world.hpp"

namespace lab::fake {

using Tested = Tls<Echo>;

struct Subjected {
  Tested::Shared shared{tls_context()};
  void plant(std::uint64_t seed) { plant_randomness(seed); }
};

}  // namespace lab::fake
