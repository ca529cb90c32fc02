// A body in another coding, and the question whether a coded body holds what it should.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/site/site_options.hpp"

namespace lab {

/// As Content-Encoding has it: "br" and "zstd" are no extensions of files.
std::string_view coding_name(Coding coding);
/// What a sibling in this coding is called after: ".gz", ".br", ".zst".
std::string_view coding_suffix(Coding coding);

/// @param size_max a body that would be larger is not worth having
/// @return nothing when it would be larger. REQUIRES coding != identity, effort != none
/// @throws std::bad_alloc
std::vector<std::byte> compressed(Coding coding, std::span<const std::byte> plain, Effort effort,
                                  std::size_t size_max);

/// True when `packed` is one whole body in this coding, as clients read it, and holds `plain`.
/// Takes a few hundred KiB whatever it expands to.
bool holds(Coding coding, std::span<const std::byte> packed, std::span<const std::byte> plain);

}  // namespace lab
