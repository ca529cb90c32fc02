// The operator's rules as the command line has them, checked when they are read: what gets through
// here can be put into a header block as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/site/site_options.hpp"

namespace lab {

/// "NAME: VALUE". Refused are what is no token, a line end or control character in the value, and
/// the fields that the server makes itself: two of them would contradict each other.
/// @throws SiteError
HeaderField header_field(std::string_view text);

/// "PATTERN=VALUE": "*.js=public, max-age=31536000, immutable". The pattern is glob(7)'s.
/// @throws SiteError
CacheRule cache_rule(std::string_view text);

/// "*", or scheme://host[:port] without a path.
/// @throws SiteError
std::string cors_origin(std::string_view text);

/// The Cache-Control of a file, or nothing.
/// @param path decoded, with its leading slash
std::string_view cache_control(const std::vector<CacheRule>& rules, const std::string& path);

}  // namespace lab
