#include "06-server/lib/protocol/http/answer.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab::detail {
namespace {

const Variant* choose(const RequestHead& request, std::string_view head,
                      const Resource& resource) noexcept {
  if (!resource.negotiable) return &resource.variants.front();
  AcceptedCodings accepted;
  request.for_each_value(Field::accept_encoding, head,
                         [&](std::string_view value) { accepted.add(value); });
  return choose_variant(resource.variants, accepted);
}

// Several lines of one list are one list (RFC 9110, 5.3): one that is wrong makes all wrong.
TagMatch match_lines(const RequestHead& request, std::string_view head, Field field,
                     std::string_view etag, Comparison comparison) noexcept {
  if (request.occurrences(field) == 0) return TagMatch::invalid;
  TagMatch all = TagMatch::no;
  request.for_each_value(field, head, [&](std::string_view value) {
    const TagMatch one = match_tags(value, etag, comparison);
    if (one == TagMatch::invalid || (one == TagMatch::yes && all == TagMatch::no)) all = one;
  });
  return all;
}

std::optional<std::int64_t> single_date(const RequestHead& request, std::string_view head,
                                        Field field, std::int64_t now_s) noexcept {
  if (request.occurrences(field) != 1) return std::nullopt;
  return parse_http_date(request.value(field, head), now_s);
}

// ";q=0", with any zeros behind the point.
bool is_refused(std::string_view parameters) noexcept {
  const std::size_t at = parameters.find("q=0");
  if (at == std::string_view::npos) return false;
  return parameters.substr(at + 3).find_first_not_of(".0 \t") == std::string_view::npos;
}

ByteRange range_of(const RequestHead& request, std::string_view head, const Validators& validators,
                   std::uint64_t size, std::int64_t now_s) noexcept {
  if (request.method() != Method::get || request.occurrences(Field::range) != 1) return {};
  const unsigned if_ranges = request.occurrences(Field::if_range);
  if (if_ranges > 1) return {};
  if (if_ranges == 1 && !range_is_current(request.value(Field::if_range, head), validators, now_s))
    return {};
  return parse_range(request.value(Field::range, head), size);
}

// Accept names text/html itself: so do browsers that load a page, and nothing else does. A script
// that is missing has to stay missing.
bool asks_for_a_page(const RequestHead& request, std::string_view head) noexcept {
  bool found = false;
  request.for_each_value(Field::accept, head, [&](std::string_view list) {
    for (auto member = next_member(list); !member.empty(); member = next_member(list)) {
      const std::size_t end = std::min(member.find(';'), member.size());
      const bool html = equals_ignoring_case(trimmed(member.substr(0, end)), "text/html");
      found = found || (html && !is_refused(member.substr(end)));
    }
  });
  return found;
}

}  // namespace

Answer answer_file(const RequestHead& request, std::string_view head, const Resource& resource,
                   std::int64_t now_s) noexcept {
  const Variant* variant = choose(request, head, resource);
  if (variant == nullptr) return plain_answer(Status::not_acceptable, request.method());

  Conditions conditions = {
      .if_match = match_lines(request, head, Field::if_match, variant->etag, Comparison::strong),
      .if_none_match =
          match_lines(request, head, Field::if_none_match, variant->etag, Comparison::weak),
      .if_modified_since = single_date(request, head, Field::if_modified_since, now_s),
      .if_unmodified_since = single_date(request, head, Field::if_unmodified_since, now_s)};
  if (resource.modified_s == 0) conditions.if_modified_since = conditions.if_unmodified_since = {};
  const Verdict verdict = judge(conditions, resource.modified_s);
  if (verdict == Verdict::failed)
    return plain_answer(Status::precondition_failed, request.method());

  Answer answer = {.status = Status::ok,
                   .variant = variant,
                   .size = variant->size,
                   .whole_size = variant->size,
                   .has_body = request.method() == Method::get};
  if (verdict == Verdict::not_modified) {
    answer.status = Status::not_modified;
    answer.has_body = false;
    return answer;
  }
  const ByteRange range =
      range_of(request, head, {.etag = variant->etag, .modified_s = resource.modified_s},
               variant->size, now_s);
  if (range.kind == ByteRange::Kind::unsatisfiable) {
    answer.status = Status::range_not_satisfiable;
    answer.variant = nullptr;
  } else if (range.kind == ByteRange::Kind::part) {
    answer.status = Status::partial_content;
    answer.offset = range.offset;
    answer.size = range.size;
  }
  return answer;
}

Answer answer_missing(const RequestHead& request, std::string_view head, const Found& found,
                      std::int64_t now_s) noexcept {
  const bool reads = request.method() != Method::options;
  if (reads && found.fallback != nullptr && asks_for_a_page(request, head))
    return answer_file(request, head, *found.fallback, now_s);
  Answer answer = plain_answer(Status::not_found, request.method());
  if (!reads || found.resource == nullptr) return answer;
  answer.variant = choose(request, head, *found.resource);
  if (answer.variant != nullptr) answer.size = answer.variant->size;
  return answer;
}

}  // namespace lab::detail
