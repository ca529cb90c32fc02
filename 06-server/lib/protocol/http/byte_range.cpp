#include "06-server/lib/protocol/http/byte_range.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {
namespace {

/// From `first` up to and without `end`; empty: nothing of it exists.
struct Interval {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

// "0-9", "10-", "-5". None: it is no range.
std::optional<Interval> parse_one(std::string_view text, std::uint64_t size) noexcept {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto last = decimal_saturated(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    return Interval{size - std::min(size, *last), size};
  }
  const auto first = decimal_saturated(text.substr(0, dash));
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Interval{};
  return Interval{*first, last && *last < size ? *last + 1 : size};
}

bool touch(const Interval& one, const Interval& other) noexcept {
  return one.first <= other.end && other.first <= one.end;
}

}  // namespace

ByteRange parse_range(std::string_view value, std::uint64_t size) noexcept {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || !equals_ignoring_case(value.substr(0, equals), "bytes"))
    return {};
  std::string_view list = value.substr(equals + 1);
  Interval joined;
  unsigned count = 0;
  bool apart = false;
  bool whole_of_nothing = false;
  for (std::string_view member = next_member(list); !member.empty(); member = next_member(list)) {
    const auto one = parse_one(member, size);
    if (!one || ++count > ranges_max) return {};
    // The last bytes of an empty file exist, all none of them; but a 206 cannot say so.
    if (size == 0 && member.front() == '-' && decimal_saturated(member.substr(1)) != 0)
      whole_of_nothing = true;
    if (one->first == one->end) continue;
    if (joined.first == joined.end) {
      joined = *one;
    } else if (touch(joined, *one)) {
      joined = {std::min(joined.first, one->first), std::max(joined.end, one->end)};
    } else {
      apart = true;
    }
  }
  if (count == 0 || apart || whole_of_nothing) return {};
  if (joined.first == joined.end) return {.kind = ByteRange::Kind::unsatisfiable};
  return {ByteRange::Kind::part, joined.first, joined.end - joined.first};
}

}  // namespace lab
