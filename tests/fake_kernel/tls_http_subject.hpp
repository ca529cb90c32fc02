#pragma once

#include <array>
#include <cstdint>

#include "06-server/lib/protocol/http/http_static.hpp"
#include "06-server/lib/protocol/tls/tls.hpp"
#include "tests/fake_kernel/http_world.hpp"
#include "tests/fake_kernel/tls_world.hpp"

namespace lab::fake {

using Tested = Tls<HttpStatic<test::TestSource>>;

struct Subjected {
  test::TestSource source{http_site()};
  std::array<Counter, HttpCounters::size> memory;
  HttpCounters counters{memory};
  Tested::Shared shared{tls_context(), http_options(), source, counters};
  void plant(std::uint64_t seed) { plant_randomness(seed); }
};

}  // namespace lab::fake
