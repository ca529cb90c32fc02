// How a generation lies in its memory: a header, the bodies, and at the end tables of these
// records.
//
// Positions are offsets from the start, so each process may map it where it likes. The one that
// builds it writes it; nobody changes it afterwards.
#pragma once

#include <cstdint>

#include "06-server/lib/site/site_file.hpp"

namespace lab {

inline constexpr std::uint64_t site_magic = 0x31657469732d7572;  // "ru-site1"
inline constexpr std::uint64_t site_header_size = 4096;
inline constexpr std::uint32_t site_none = UINT32_MAX;

struct Stretch {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct VariantRecord {
  Stretch body;  ///< of a streamed one only the size counts
  Stretch etag;
  Stretch fields;
  Stretch fields_304;
  std::uint32_t streamed = site_none;  ///< its place among the streamed files
  std::uint32_t coding = 0;
};

struct ResourceRecord {
  std::uint32_t first_variant = 0;
  std::uint32_t variant_count = 0;
  std::int64_t modified_s = 0;
  std::uint64_t negotiable = 0;
};

/// A name that a client may ask for. Empty when its path is.
struct RouteRecord {
  Stretch path;
  std::uint64_t hash = 0;
  Stretch location;                    ///< of a redirect
  std::uint32_t resource = site_none;  ///< none: a redirect, or a directory without an index
  std::uint32_t has_pages = 0;         ///< of a directory: HTML lies in it or below
};

/// Where an array of records lies: `size` counts records.
struct SiteHeader {
  std::uint64_t magic = 0;
  std::uint64_t size = 0;  ///< bytes of all
  Stretch resources;
  Stretch variants;
  Stretch streamed;  ///< FileStamp
  Stretch routes;    ///< a power of two of them: open addressing, half of them empty at least
  Stretch common_fields;
  Stretch preflight_fields;
  std::uint32_t missing_page = site_none;
  std::uint32_t fallback_page = site_none;
  std::uint64_t files = 0;
};
static_assert(sizeof(SiteHeader) <= site_header_size);

}  // namespace lab
