// How a generation lies in its memory: a header, the bodies, and at the end tables of these
// records.
//
// Positions are offsets from the start, so each process may map it where it likes. The one that
// builds it writes it; nobody changes it afterwards.
#pragma once

#include <cstdint>

#include "06-server/lib/site/site_file.hpp"

namespace lab {

/// How a generation begins.
inline constexpr std::uint64_t site_magic = 0x31657469732d7572;  // "ru-site1"
/// Bytes: a page, so that what follows is aligned.
inline constexpr std::uint64_t site_header_size = 4096;
/// The position of nothing.
inline constexpr std::uint32_t site_none = UINT32_MAX;

/// A piece of the memory.
struct Stretch {
  std::uint64_t offset = 0;  ///< bytes from the start
  std::uint64_t size = 0;    ///< bytes, or records where it is an array of them
};

/// A body in one coding, with its head.
struct VariantRecord {
  Stretch body;                        ///< of a streamed one only the size counts
  Stretch etag;                        ///< with its quotes
  Stretch fields;                      ///< the head's lines, each with its end
  Stretch fields_304;                  ///< those of a 304
  std::uint32_t streamed = site_none;  ///< its place among the streamed files
  std::uint32_t coding = 0;            ///< Coding as a number
};

/// A file in all of its codings.
struct ResourceRecord {
  std::uint32_t first_variant = 0;  ///< its place among the variants
  std::uint32_t variant_count = 0;  ///< they follow each other, identity first
  std::int64_t modified_s = 0;      ///< since 1970; 0: unknown
  std::uint64_t negotiable = 0;     ///< not 0: the client's Accept-Encoding decides
};

/// A name that a client may ask for. Empty when its path is.
struct RouteRecord {
  Stretch path;                        ///< decoded, as a client names it
  std::uint64_t hash = 0;              ///< of the path, see path_hash()
  Stretch location;                    ///< of a redirect
  std::uint32_t resource = site_none;  ///< none: a redirect, or a directory without an index
  std::uint32_t has_pages = 0;         ///< of a directory: HTML lies in it or below
};

/// Where an array of records lies: `size` counts records.
struct SiteHeader {
  std::uint64_t magic = 0;  ///< site_magic
  std::uint64_t size = 0;   ///< bytes of all
  Stretch resources;        ///< ResourceRecord
  Stretch variants;         ///< VariantRecord
  Stretch streamed;         ///< FileStamp
  Stretch routes;         ///< a power of two of them: open addressing, half of them empty at least
  Stretch common_fields;  ///< bytes: Generation::common_fields()
  Stretch preflight_fields;                 ///< bytes: Generation::preflight_fields()
  std::uint32_t missing_page = site_none;   ///< a resource: --404
  std::uint32_t fallback_page = site_none;  ///< a resource: --spa
  std::uint64_t files = 0;                  ///< that the site was built from
};
static_assert(sizeof(SiteHeader) <= site_header_size);

}  // namespace lab
