#include "06-server/lib/protocol/http/request_head.hpp"

#include <algorithm>

#include "06-server/lib/protocol/http/http_text.hpp"
#include "06-server/lib/protocol/http/request_target.hpp"

namespace lab {
namespace {

// In the order of Field.
constexpr std::array<std::string_view, looked_up_fields> field_names = {"host",
                                                                        "accept",
                                                                        "accept-encoding",
                                                                        "if-match",
                                                                        "if-none-match",
                                                                        "if-modified-since",
                                                                        "if-unmodified-since",
                                                                        "if-range",
                                                                        "range"};
static_assert(static_cast<std::size_t>(Field::range) + 1 == looked_up_fields);

Method method_named(std::string_view name) noexcept {
  if (name == "GET") return Method::get;
  if (name == "HEAD") return Method::head;
  if (name == "OPTIONS") return Method::options;
  for (const std::string_view other : {"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"})
    if (name == other) return Method::other;
  return Method::unknown;
}

// "HTTP/" DIGIT "." DIGIT, and nothing else: two readers of "HTTP/01.1" may differ.
Status read_version(std::string_view text, bool& is_1_0) noexcept {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7]))
    return Status::bad_request;
  if (text[5] != '1') return Status::version_not_supported;
  is_1_0 = text[7] == '0';
  return Status::none;
}

}  // namespace

Status RequestHead::read_request_line(std::string_view line, std::size_t position,
                                      const HeadLimits& limits) noexcept {
  const std::string_view name = line.substr(0, line.find(' '));
  if (!is_token(name) || name.size() == line.size()) return Status::bad_request;
  if (name.size() > method_bytes_max) return Status::not_implemented;
  const std::string_view rest = line.substr(name.size() + 1);
  const std::string_view target = rest.substr(0, rest.find(' '));
  if (target.empty() || target.size() == rest.size()) return Status::bad_request;
  const Status refusal = read_version(rest.substr(target.size() + 1), is_1_0_);
  if (refusal != Status::none) return refusal;
  if (target.size() > limits.target_bytes) return Status::uri_too_long;

  method_ = method_named(name);
  method_size_ = static_cast<std::uint8_t>(name.size());
  target_ = {static_cast<std::uint32_t>(position + name.size() + 1),
             static_cast<std::uint32_t>(target.size())};
  return Status::none;
}

Status RequestHead::read_field(std::string_view line, std::size_t position,
                               const HeadLimits& limits) noexcept {
  const std::size_t colon = line.find(':');
  // A line that begins with a blank goes on with the one before (5.2): its name is no token.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return Status::bad_request;
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_character)) return Status::bad_request;
  if (++fields_ > limits.fields) return Status::too_many_fields;

  const std::string_view name = line.substr(0, colon);
  for (std::size_t i = 0; i < field_names.size(); ++i) {
    if (!equals_ignoring_case(name, field_names[i])) continue;
    if (seen_[i] == 0) {
      const std::size_t before = value.empty() ? colon + 1 : line.find(value, colon + 1);
      values_[i] = {static_cast<std::uint32_t>(position + before),
                    static_cast<std::uint32_t>(value.size())};
    }
    seen_[i] = static_cast<std::uint8_t>(std::min(seen_[i] + 1, 2));
    return Status::none;
  }
  return read_special_field(name, value);
}

Status RequestHead::read_special_field(std::string_view name, std::string_view value) noexcept {
  if (equals_ignoring_case(name, "content-length")) return read_content_length(value);
  if (equals_ignoring_case(name, "transfer-encoding")) return read_transfer_encoding(value);
  if (equals_ignoring_case(name, "connection")) read_connection(value);
  if (equals_ignoring_case(name, "access-control-request-method")) preflight_ = true;
  if (equals_ignoring_case(name, "expect")) {
    for (auto member = next_member(value); !member.empty(); member = next_member(value)) {
      const bool known = equals_ignoring_case(member, "100-continue");
      (known ? expects_continue_ : expects_other_) = true;
    }
  }
  return Status::none;
}

// One length, in one line, in one spelling: "005" is 5 to one reader and octal to another.
Status RequestHead::read_content_length(std::string_view value) noexcept {
  const auto length = decimal_saturated(value);
  const bool padded = value.size() > 1 && value.front() == '0';
  if (has_length_ || !length || padded || *length == ~std::uint64_t{0}) return Status::bad_request;
  has_length_ = true;
  content_length_ = *length;
  return Status::none;
}

// "chunked" alone can be read. A coding before it would have to be undone: 501 (RFC 9112, 6.1). All
// else leaves the end of the body unknown (6.3).
Status RequestHead::read_transfer_encoding(std::string_view value) noexcept {
  if (chunked_) return Status::bad_request;
  chunked_ = equals_ignoring_case(value, "chunked");
  if (chunked_) return Status::none;
  unsigned chunked_members = 0;
  std::string_view last;
  for (auto member = next_member(value); !member.empty(); member = next_member(value)) {
    if (!is_token(member)) return Status::bad_request;
    if (equals_ignoring_case(member, "chunked")) ++chunked_members;
    last = member;
  }
  const bool ends_chunked = equals_ignoring_case(last, "chunked") && chunked_members == 1;
  return ends_chunked ? Status::not_implemented : Status::bad_request;
}

void RequestHead::read_connection(std::string_view value) noexcept {
  for (auto member = next_member(value); !member.empty(); member = next_member(value)) {
    close_ = close_ || equals_ignoring_case(member, "close");
    keep_alive_ = keep_alive_ || equals_ignoring_case(member, "keep-alive");
  }
}

Status RequestHead::finish(std::string_view head, const HeadLimits& limits) noexcept {
  const unsigned hosts = occurrences(Field::host);
  if (hosts > 1 || (hosts == 0 && !is_1_0_)) return Status::bad_request;
  if (hosts == 1 && !is_host(value(Field::host, head))) return Status::bad_request;
  // Both a length and chunks, or chunks from a client that cannot know them: one of those on the
  // way read it in another way (RFC 9112, 6.1).
  if (chunked_ && (has_length_ || is_1_0_)) return Status::bad_request;
  if (content_length_ > limits.body_bytes) return Status::content_too_large;
  if (is_1_0_) expects_continue_ = expects_other_ = false;  // RFC 9110, 10.1.1
  if (expects_other_) return Status::expectation_failed;
  return Status::none;
}

std::optional<std::string_view> RequestHead::next_value(Field field,
                                                        std::string_view& rest) noexcept {
  while (true) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end + 1);
    const std::string_view line = rest.substr(0, rest.find('\r'));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos &&
        equals_ignoring_case(line.substr(0, colon), field_names[index(field)]))
      return trimmed(line.substr(colon + 1));
  }
}

}  // namespace lab
