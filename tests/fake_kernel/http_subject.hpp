#pragma once

#include <array>

#include "06-server/lib/protocol/http/http_static.hpp"
#include "tests/fake_kernel/http_world.hpp"

namespace lab::fake {

using Tested = HttpStatic<test::TestSource>;

struct Subjected {
  test::TestSource source{http_site()};
  std::array<Counter, HttpCounters::size> memory;
  HttpCounters counters{memory};
  Tested::Shared shared{http_options(), source, counters};
};

}  // namespace lab::fake
