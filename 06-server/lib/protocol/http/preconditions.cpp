#include "06-server/lib/protocol/http/preconditions.hpp"

#include <cstddef>

#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {
namespace {

struct Tag {
  bool weak = false;
  std::string_view quoted;
};

bool is_tag_character(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x21 && byte != 0x22 && byte != 0x7f;
}

// Takes a tag from the front of a text. None: there is none.
std::optional<Tag> take_tag(std::string_view& text) noexcept {
  Tag tag;
  if (text.starts_with("W/")) {
    tag.weak = true;
    text.remove_prefix(2);
  }
  if (!text.starts_with('"')) return std::nullopt;
  std::size_t size = 1;
  while (size < text.size() && is_tag_character(text[size])) ++size;
  if (size == text.size() || text[size] != '"') return std::nullopt;
  tag.quoted = text.substr(0, size + 1);
  text.remove_prefix(size + 1);
  return tag;
}

bool same(const Tag& tag, std::string_view etag, Comparison comparison) noexcept {
  return tag.quoted == etag && (comparison == Comparison::weak || !tag.weak);
}

}  // namespace

TagMatch match_tags(std::string_view list, std::string_view etag, Comparison comparison) noexcept {
  if (trimmed(list) == "*") return TagMatch::yes;
  bool any = false;
  bool found = false;
  bool separated = true;
  while (true) {
    list = trimmed(list);
    if (list.empty()) break;
    if (list.front() == ',') {
      list.remove_prefix(1);
      separated = true;
      continue;
    }
    const auto tag = separated ? take_tag(list) : std::nullopt;
    if (!tag) return TagMatch::invalid;
    separated = false;
    any = true;
    found = found || same(*tag, etag, comparison);
  }
  if (!any) return TagMatch::invalid;
  return found ? TagMatch::yes : TagMatch::no;
}

Verdict judge(const Conditions& conditions, std::int64_t modified_s) noexcept {
  if (conditions.if_match != TagMatch::invalid) {
    if (conditions.if_match == TagMatch::no) return Verdict::failed;
  } else if (conditions.if_unmodified_since && modified_s > *conditions.if_unmodified_since) {
    return Verdict::failed;
  }
  if (conditions.if_none_match != TagMatch::invalid) {
    if (conditions.if_none_match == TagMatch::yes) return Verdict::not_modified;
  } else if (conditions.if_modified_since && modified_s <= *conditions.if_modified_since) {
    return Verdict::not_modified;
  }
  return Verdict::perform;
}

bool range_is_current(std::string_view if_range, const Validators& validators,
                      std::int64_t now_s) noexcept {
  std::string_view rest = if_range;
  if (const auto tag = take_tag(rest))
    return rest.empty() && same(*tag, validators.etag, Comparison::strong);
  const auto date = parse_http_date(if_range, now_s);
  return date && *date == validators.modified_s && *date != 0 && *date < now_s;
}

}  // namespace lab
