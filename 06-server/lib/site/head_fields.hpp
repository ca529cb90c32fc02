// The header lines of an answer that are known when the site is loaded, ready to be copied.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/site/site_options.hpp"

namespace lab {

/// What one answer's lines are made of.
struct HeadFacts {
  std::string_view type;             ///< with its charset
  Coding coding = Coding::identity;  ///< identity: no line
  std::string_view etag;             ///< empty: no line
  std::int64_t modified_s = 0;       ///< 0: unknown, no line
  std::string_view vary;             ///< empty: no line
  std::string_view cache_control;    ///< empty: no line
};

/// Variant::fields.
std::string head_fields(const HeadFacts& facts, std::string_view common);
/// Variant::fields_304: what updates a stored answer, RFC 9110 15.4.5. Without Last-Modified, since
/// there is an ETag.
std::string head_fields_304(const HeadFacts& facts, std::string_view common);

/// The operator's own and CORS: for every answer, errors too, or a script could not read them.
std::string common_fields(const SiteOptions& options);
/// What an OPTIONS request of a browser that asks before a cross-origin request is answered with;
/// empty without --cors.
std::string preflight_fields(const SiteOptions& options);

}  // namespace lab
