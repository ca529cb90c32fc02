// A folder becomes a generation: walked, read, compressed, and written into one memory.
#pragma once

#include "06-server/lib/site/generation.hpp"
#include "06-server/lib/site/site_options.hpp"
#include "06-server/lib/site/site_reporter.hpp"

namespace lab {

/// Takes seconds for a large site, and threads; all have ended when it returns.
/// @param before the generation that the new one follows, whose compression is not done again; or
/// null
/// @throws SiteError with cause and cure; std::system_error, std::bad_alloc
SiteFiles build_site(const SiteOptions& options, const SiteReporter& reporter = {},
                     const Generation* before = nullptr);

}  // namespace lab
