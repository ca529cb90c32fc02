#include "06-server/lib/site/site_rules.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

// RFC 9110, 5.6.2
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// RFC 9110, 5.5: everything but control characters, of which a tab is none.
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7F);
  });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

struct Reserved {
  std::string_view name;
  std::string_view instead;
};

constexpr std::string_view frames = "it frames the message, which is the server's matter";
constexpr std::string_view from_file = "it is made from each file";

constexpr std::array reserved{
    Reserved{"content-length", frames},
    Reserved{"transfer-encoding", frames},
    Reserved{"connection", frames},
    Reserved{"keep-alive", frames},
    Reserved{"proxy-connection", frames},
    Reserved{"te", frames},
    Reserved{"trailer", frames},
    Reserved{"upgrade", frames},
    Reserved{"date", frames},
    Reserved{"content-range", frames},
    Reserved{"accept-ranges", frames},
    Reserved{"allow", frames},
    Reserved{"location", frames},
    Reserved{"content-encoding", from_file},
    Reserved{"content-type", from_file},
    Reserved{"etag", from_file},
    Reserved{"last-modified", from_file},
    Reserved{"vary", from_file},
    Reserved{"cache-control", "take --cache-control"},
    Reserved{"access-control-allow-origin", "take --cors"},
};

}  // namespace

HeaderField header_field(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw SiteError(
        fmt::format("--header: '{}' has no colon. Cure: --header 'NAME: VALUE'", shown(text)));
  }
  HeaderField field{.name = std::string(text.substr(0, colon)),
                    .value = std::string(trimmed(text.substr(colon + 1)))};
  if (!is_token(field.name)) {
    throw SiteError(fmt::format(
        "--header: '{}' is no name of a header field. Cure: letters, digits and hyphens, and the "
        "colon right after them",
        shown(field.name)));
  }
  if (!is_field_value(field.value)) {
    throw SiteError(fmt::format(
        "--header: the value of {} has a line end or another control character: '{}'. Cure: one "
        "--header for each field",
        field.name, shown(field.value)));
  }
  std::string lower = field.name;
  lowercase(lower);
  const auto* const found = std::find_if(reserved.begin(), reserved.end(),
                                         [&](const Reserved& one) { return one.name == lower; });
  if (found != reserved.end()) {
    throw SiteError(
        fmt::format("--header: {} cannot be set by hand: {}", field.name, found->instead));
  }
  return field;
}

CacheRule cache_rule(std::string_view text) {
  const std::size_t equals = text.find('=');
  CacheRule rule;
  if (equals != std::string_view::npos) {
    rule = {.pattern = std::string(trimmed(text.substr(0, equals))),
            .value = std::string(trimmed(text.substr(equals + 1)))};
  }
  if (rule.pattern.empty() || rule.value.empty() || !is_field_value(rule.value)) {
    throw SiteError(fmt::format(
        "--cache-control: '{}' is no PATTERN=VALUE. Cure: as in '*.js=public, max-age=31536000'",
        shown(text)));
  }
  if (rule.pattern.find('/') != std::string::npos && rule.pattern.front() != '/') {
    throw SiteError(fmt::format(
        "--cache-control: no path is like '{0}', for all begin with a slash. Cure: '/{0}'",
        shown(rule.pattern)));
  }
  return rule;
}

std::string cors_origin(std::string_view text) {
  if (text == "*") return "*";
  const std::size_t scheme = text.find("://");
  const std::string_view host =
      scheme == std::string_view::npos ? std::string_view{} : text.substr(scheme + 3);
  if (host.empty() || scheme == 0 || host.find_first_of("/?# \t,@") != std::string_view::npos ||
      !is_field_value(text)) {
    throw SiteError(fmt::format(
        "--cors: '{}' is no origin. Cure: '*', or scheme and host without a path, as in "
        "https://www.example.org",
        shown(text)));
  }
  return std::string(text);
}

std::string_view cache_control(const std::vector<CacheRule>& rules, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  for (const CacheRule& rule : rules) {
    const bool whole = rule.pattern.find('/') != std::string::npos;
    if (fnmatch(rule.pattern.c_str(), whole ? path.c_str() : name.c_str(), 0) == 0) {
      return rule.value;
    }
  }
  return {};
}

}  // namespace lab
