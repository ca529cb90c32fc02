// The end of a build: names and bodies become the tables that a generation is read by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/site/site_arena.hpp"
#include "06-server/lib/site/site_loader.hpp"

namespace lab {

struct PlannedVariant {
  Coding coding = Coding::identity;
  LoadedBody body;
};

/// One file as one answer will show it.
struct PlannedResource {
  std::vector<PlannedVariant> variants;
  std::string type;
  std::int64_t modified_s = 0;
  std::string cache_control;
  bool varies_by_accept = false;  ///< the pages of --spa and --404
  bool has_validators = true;     ///< ETag and Last-Modified among the fields
};

/// One name. Of a redirect or a directory without an index there is no resource.
struct PlannedRoute {
  std::string path;
  std::uint32_t resource = site_none;
  std::string location;
  bool has_pages = false;
};

struct SitePlan {
  std::vector<PlannedResource> resources;
  std::vector<PlannedRoute> routes;
  std::vector<FileStamp> stamps;  ///< of the streamed files
  std::string common_fields;
  std::string preflight_fields;
  std::uint32_t missing_page = site_none;
  std::uint32_t fallback_page = site_none;
  std::uint64_t files = 0;
};

/// Writes the tables behind what is in the arena, and the header.
/// @throws SiteError when memory runs out
void write_tables(const SitePlan& plan, SiteArena& arena);

}  // namespace lab
