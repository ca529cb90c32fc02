// The files that the line protocol may be asked for.
#pragma once

#include <span>

#include "06-server/lib/protocol/lines.hpp"

namespace lab::fake {

std::span<const LineFile> lines_files();

}  // namespace lab::fake
