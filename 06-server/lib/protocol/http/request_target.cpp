#include "06-server/lib/protocol/http/request_target.hpp"

#include <algorithm>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {
namespace {

bool is_target_character(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && c != '#' && c != '\\';
}

bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }

std::size_t scheme_size(std::string_view target) noexcept {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")})
    if (equals_ignoring_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  return 0;
}

bool is_port(std::string_view text) noexcept {
  return text.empty() || (text.size() <= 5 && decimal_saturated(text).value_or(65536) <= 65535);
}

bool is_bracketed_address(std::string_view text) noexcept {
  return text.size() > 2 && std::all_of(text.begin(), text.end(), [](char c) {
           return hex_value(c) >= 0 || c == ':' || c == '.';
         });
}

// No empty label but the last: "h." is the absolute form of a name, "." and "a..b" are none.
bool is_name(std::string_view text) noexcept {
  char previous = '.';
  for (const char c : text) {
    if (c == '.' && previous == '.') return false;
    if (!is_letter(c) && !is_digit(c) && std::string_view("-._~").find(c) == std::string_view::npos)
      return false;
    previous = c;
  }
  return !text.empty();
}

bool has_dot_segment(std::string_view path) noexcept {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

}  // namespace

std::optional<RequestTarget> parse_target(std::string_view target) noexcept {
  RequestTarget parsed;
  if (target == "*") {
    parsed.form = RequestTarget::Form::asterisk;
    return parsed;
  }
  if (!std::all_of(target.begin(), target.end(), is_target_character)) return std::nullopt;
  if (!target.starts_with('/')) {
    const std::size_t scheme = scheme_size(target);
    if (scheme == 0) return std::nullopt;
    target.remove_prefix(scheme);
    parsed.authority = target.substr(0, target.find_first_of("/?"));
    if (!is_host(parsed.authority)) return std::nullopt;
    target.remove_prefix(parsed.authority.size());
  }
  parsed.path = target.substr(0, target.find('?'));
  parsed.query = target.substr(parsed.path.size());
  if (parsed.path.empty()) parsed.path = "/";
  return parsed;
}

PathResult decode_path(std::string_view path, std::span<char> space,
                       std::string_view& decoded) noexcept {
  decoded = path;
  bool slash = false;
  if (path.find('%') != std::string_view::npos) {
    LAB_ASSERT(space.size() >= path.size());
    std::size_t size = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
      char c = path[i];
      if (c == '%') {
        const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
        const int low = i + 2 < path.size() ? hex_value(path[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) return PathResult::bad;
        c = static_cast<char>(high * 16 + low);
        slash = slash || c == '/';
        i += 2;
      }
      space[size++] = c;
    }
    decoded = {space.data(), size};
  }
  if (has_dot_segment(decoded)) return PathResult::bad;
  return slash ? PathResult::no_name : PathResult::decoded;
}

bool is_host(std::string_view text) noexcept {
  std::size_t size = text.find(':');
  bool good = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    good = is_bracketed_address(text.substr(1, end - 1));
    size = end + 1;
  } else {
    size = std::min(size, text.size());
    good = is_name(text.substr(0, size));
  }
  const std::string_view port = text.substr(size);
  return good && (port.empty() || (port.front() == ':' && is_port(port.substr(1))));
}

}  // namespace lab
