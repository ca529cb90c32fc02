// The names that clients may ask for: files, directories by their index, redirects to the slash.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "06-server/lib/site/site_options.hpp"
#include "06-server/lib/site/site_walk.hpp"
#include "06-server/lib/site/site_writer.hpp"

namespace lab {

/// Places in SitePlan::resources, by the path of the file.
using ResourcesByPath = std::map<std::string, std::size_t>;

/// All names of one file lead to one resource. A directory without an index is a route too: what is
/// in it decides whether the page of --spa may stand for a name below it.
void add_routes(const SiteOptions& options, const SourceTree& tree,
                const ResourcesByPath& resources, SitePlan& plan);

}  // namespace lab
