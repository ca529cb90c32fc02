#pragma once

#include "06-server/lib/protocol/lines.hpp"
#include "tests/fake_kernel/lines_files.hpp"

namespace lab::fake {

using Tested = Lines;

struct Subjected {
  Tested::Shared shared{.files = lines_files()};
};

}  // namespace lab::fake
