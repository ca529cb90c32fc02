// The target of a request (RFC 9112, 3.2): which form, which path, which query; and the host.
//
// Rule: a path is decoded once and compared byte by byte. Nothing is made of what it holds:
// overlong UTF-8 is a name like any other, which no file has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lab {

/// A target in its parts: views into it.
struct RequestTarget {
  /// How the target is written.
  enum class Form : std::uint8_t {
    path,     ///< a path, or an absolute URI that has one
    asterisk  ///< of OPTIONS: the server as a whole
  };

  Form form = Form::path;      ///< the rest counts only with path
  std::string_view path;       ///< still encoded, begins with a slash
  std::string_view query;      ///< with its question mark, or empty
  std::string_view authority;  ///< of the absolute form: it stands above the Host field
};

/// @return none: it is in none of the three forms (origin, absolute, asterisk), or holds what no
/// target may: controls, spaces, a fragment, a backslash
std::optional<RequestTarget> parse_target(std::string_view target) noexcept;

/// What became of a path.
enum class PathResult : std::uint8_t {
  decoded,  ///< it is there
  bad,      ///< a broken escape, a NUL, a segment of one or two dots
  no_name,  ///< it holds an encoded slash: no file has such a name
};

/// Decodes a path.
/// @param space at least path.size() bytes, in which a path with escapes is decoded
/// @param decoded where it was decoded: in `space`, or `path` itself where there is nothing to do
PathResult decode_path(std::string_view path, std::span<char> space,
                       std::string_view& decoded) noexcept;

/// Whether it is a host with an optional port: a name of letters, digits, `-`, `_`, `~` and single
/// dots, or an address. An empty one is not.
bool is_host(std::string_view text) noexcept;

}  // namespace lab
