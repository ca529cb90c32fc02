// The conditions of a request (RFC 9110, 13): whether it is done, and whether a range of it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lab {

/// The answer to a list of entity tags.
enum class TagMatch : std::uint8_t {
  yes,     ///< one of them is the file's
  no,      ///< none is
  invalid  ///< it is no list of tags
};

/// How tags are compared (RFC 9110, 8.8.3.2): weak ignores the `W/`; strong wants none.
enum class Comparison : std::uint8_t {
  weak,   ///< for If-None-Match
  strong  ///< for If-Match and If-Range
};

/// Whether `etag` is in a list of tags, or the list is `*`.
/// @param list of one or of several fields, one after the other
TagMatch match_tags(std::string_view list, std::string_view etag, Comparison comparison) noexcept;

/// What is known of the file that was chosen.
struct Validators {
  std::string_view etag;        ///< quoted, strong
  std::int64_t modified_s = 0;  ///< 0: unknown
};

/// What a request says. A field that is absent, doubled or wrong is none (13.1.3).
struct Conditions {
  TagMatch if_match = TagMatch::invalid;            ///< invalid: no such field
  TagMatch if_none_match = TagMatch::invalid;       ///< invalid: no such field
  std::optional<std::int64_t> if_modified_since;    ///< seconds since 1970
  std::optional<std::int64_t> if_unmodified_since;  ///< seconds since 1970
};

/// What is to be done.
enum class Verdict : std::uint8_t {
  perform,       ///< as if there were no conditions
  not_modified,  ///< 304
  failed         ///< 412
};

/// The order of 13.2.2, for GET and HEAD.
Verdict judge(const Conditions& conditions, std::int64_t modified_s) noexcept;

/// Whether an If-Range still names this file (13.1.5): its tag, compared strongly, or exactly its
/// date, where the date is a strong validator: at least a second older than now.
bool range_is_current(std::string_view if_range, const Validators& validators,
                      std::int64_t now_s) noexcept;

}  // namespace lab
