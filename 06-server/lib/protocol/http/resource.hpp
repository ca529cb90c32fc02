// What a site says about a path: the seam between the site (files to memory) and the protocol
// (requests to answers).
//
// Lifetime: everything here is a view into one generation of the site, and lives as long as that.
// Rule: it never changes; a change is a new generation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lab {

/// The codings of RFC 9110, 8.4.1, that a variant can have.
enum class Coding : std::uint8_t {
  identity,  ///< as the file is
  gzip,      ///< RFC 1952
  brotli,    ///< "br", RFC 7932
  zstd       ///< RFC 8878
};

/// One representation of a file.
struct Variant {
  Coding coding = Coding::identity;  ///< of the body
  std::uint64_t size = 0;            ///< bytes of the whole body
  std::span<const std::byte> body;   ///< in the arena; empty when it is streamed
  int fd = -1;                       ///< streamed: open as long as the generation lives
  /// Streamed: the time of the file's last change. Another one, or another size, says that the file
  /// is not what it was: the connection ends, or the body would be of two contents.
  std::int64_t modified_ns = 0;
  std::string_view etag;  ///< quoted, strong, distinct per coding
  /// Header lines, each with its CRLF: Content-Type, Content-Encoding, ETag, Last-Modified, Vary,
  /// Cache-Control, the operator's own. Not: Content-Length, Content-Range, Date, Connection.
  std::string_view fields;
  /// The lines of `fields` that a 304 carries: no Content-Type, no Content-Encoding.
  std::string_view fields_304;
};

/// A file with all its representations.
struct Resource {
  std::span<const Variant> variants;  ///< at least one; identity first if it exists
  std::int64_t modified_s = 0;        ///< seconds since 1970; 0: unknown, and no date is compared
  bool negotiable = false;            ///< Accept-Encoding decides which variant is sent
};

/// The answer of a site to a path. A site is anything that can be asked so:
/// @code
///   Found find(std::string_view decoded_path) noexcept;
/// @endcode
/// `decoded_path` begins with a slash, is percent-decoded once, holds no NUL, and no segment of it
/// is `.` or `..`.
struct Found {
  /// What there is at the path.
  enum class Kind : std::uint8_t {
    file,        ///< `resource` is set
    redirect,    ///< `location` is set
    missing,     ///< 404, or the fallback
    unavailable  ///< 503: not now
  };

  Kind kind = Kind::missing;           ///< which of the rest counts
  const Resource* resource = nullptr;  ///< of missing: the page of --404, or null
  /// Of missing: the page of --spa where it may stand for this path, or null. It is a 200 for GET
  /// and HEAD whose Accept takes text/html; all others get what a missing file gets.
  const Resource* fallback = nullptr;
  std::string_view location;  ///< of redirect: an encoded path, without a query
};

}  // namespace lab
