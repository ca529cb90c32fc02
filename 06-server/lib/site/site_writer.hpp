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

/// A body in one coding.
struct PlannedVariant {
  Coding coding = Coding::identity;  ///< identity: as the file is
  LoadedBody body;                   ///< where its bytes are
};

/// One file as one answer will show it.
struct PlannedResource {
  std::vector<PlannedVariant> variants;  ///< identity first, then by size
  std::string type;                      ///< Content-Type, with its charset
  std::int64_t modified_s = 0;           ///< since 1970; 0: unknown
  std::string cache_control;             ///< empty: no such line
  bool varies_by_accept = false;         ///< the pages of --spa and --404
  bool has_validators = true;            ///< ETag and Last-Modified among the fields
};

/// One name. Of a redirect or a directory without an index there is no resource.
struct PlannedRoute {
  std::string path;                    ///< decoded, as a client names it
  std::uint32_t resource = site_none;  ///< its place in the plan
  std::string location;                ///< of a redirect; else empty
  bool has_pages = false;              ///< of a directory: HTML lies in it or below
};

/// All that the tables of a generation are made of.
struct SitePlan {
  std::vector<PlannedResource> resources;   ///< in any order; routes name them by their place
  std::vector<PlannedRoute> routes;         ///< each path once
  std::vector<FileStamp> stamps;            ///< of the streamed files
  std::string common_fields;                ///< see common_fields() in head_fields.hpp
  std::string preflight_fields;             ///< empty without --cors
  std::uint32_t missing_page = site_none;   ///< a resource: --404
  std::uint32_t fallback_page = site_none;  ///< a resource: --spa
  std::uint64_t files = 0;                  ///< that the site was built from
};

/// Writes the tables behind what is in the arena, and the header.
/// @throws SiteError when memory runs out
void write_tables(const SitePlan& plan, SiteArena& arena);

}  // namespace lab
