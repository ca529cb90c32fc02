#include "06-server/lib/site/site_routes.hpp"

#include <set>
#include <string_view>

#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

// The directories that have a page in them or below.
std::set<std::string, std::less<>> directories_with_pages(const SitePlan& plan,
                                                          const ResourcesByPath& resources) {
  std::set<std::string, std::less<>> directories{"/"};
  for (const auto& [path, index] : resources) {
    const std::string_view type = plan.resources[index].type;
    if (!type.starts_with("text/html") && !type.starts_with("application/xhtml")) continue;
    for (std::size_t slash = path.rfind('/'); slash != 0; slash = path.rfind('/', slash - 1)) {
      directories.insert(path.substr(0, slash + 1));
    }
  }
  return directories;
}

}  // namespace

void add_routes(const SiteOptions& options, const SourceTree& tree,
                const ResourcesByPath& resources, SitePlan& plan) {
  for (const auto& [path, index] : resources) {
    plan.routes.push_back({.path = path, .resource = static_cast<std::uint32_t>(index)});
  }
  const auto with_pages = directories_with_pages(plan, resources);
  for (const std::string& directory : tree.directories) {
    PlannedRoute route{.path = directory, .has_pages = with_pages.contains(directory)};
    const auto found = resources.find(directory + options.index);
    if (found == resources.end()) {
      plan.routes.push_back(std::move(route));
      continue;
    }
    route.resource = static_cast<std::uint32_t>(found->second);
    plan.routes.push_back(route);
    if (directory == "/") continue;
    // A name begins with one slash and has none or one at its end: it cannot lead to another host.
    PlannedRoute bare{.path = directory.substr(0, directory.size() - 1)};
    if (options.redirect_directories) {
      bare.location = encoded_path(directory);
    } else {
      bare.resource = route.resource;
    }
    plan.routes.push_back(std::move(bare));
  }
}

}  // namespace lab
