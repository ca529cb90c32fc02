#include "06-server/lib/protocol/http/answer_head.hpp"

#include <charconv>

#include "01-core/lib/assert.hpp"

namespace lab {
namespace {

class Writer {
 public:
  explicit Writer(std::span<std::byte> space) noexcept : space_(space) {}

  Writer& text(std::string_view bytes) noexcept {
    LAB_ASSERT(bytes.size() <= space_.size() - size_);
    bytes.copy(reinterpret_cast<char*>(space_.data()) + size_, bytes.size());
    size_ += bytes.size();
    return *this;
  }
  Writer& number(std::uint64_t value) noexcept {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    return text({digits, static_cast<std::size_t>(end - digits)});
  }
  std::size_t size() const noexcept { return size_; }

 private:
  std::span<std::byte> space_;
  std::size_t size_ = 0;
};

// One slash in front, and no backslash, whatever a site says: browsers take "//name" and "/\name"
// for another host.
std::string_view local_path(std::string_view location) noexcept {
  const std::size_t first = location.find_first_not_of("/\\");
  return first == std::string_view::npos ? std::string_view() : location.substr(first);
}

void write_generated(Writer& writer, const Answer& answer, const OperatorFields& fields) noexcept {
  writer.text(fields.generated);
  if (answer.status == Status::method_not_allowed || answer.status == Status::no_content)
    writer.text("Allow: GET, HEAD, OPTIONS\r\n");
  if (answer.status == Status::no_content) {
    writer.text(fields.options).text("\r\n");  // without a length (RFC 9110, 8.6)
    return;
  }
  // The longest that a client waits: limits are so many a second.
  if (answer.status == Status::too_many_requests) writer.text("Retry-After: 1\r\n");
  if (answer.status == Status::range_not_satisfiable)
    writer.text("Content-Range: bytes */").number(answer.whole_size).text("\r\n");
  if (answer.status == Status::moved_permanently) {
    writer.text("Location: /").text(local_path(answer.location)).text(answer.query).text("\r\n");
  }
  const std::string_view body = answer.reason.empty() ? status_text(answer.status) : answer.reason;
  writer.text("Content-Type: text/plain\r\nContent-Length: ").number(body.size() + 1);
  writer.text("\r\n\r\n");
  if (answer.has_body) writer.text(body).text("\n");
}

}  // namespace

std::size_t answer_head_bound(const Answer& answer, const OperatorFields& fields) noexcept {
  // Status line, Date, Connection, Content-Type, Allow, a range of three numbers of twenty digits,
  // a length, Accept-Ranges, and a generated body.
  constexpr std::size_t own = 512;
  const std::size_t others = answer.variant != nullptr
                                 ? answer.variant->fields.size()
                                 : fields.generated.size() + fields.options.size();
  return own + others + answer.location.size() + answer.query.size();
}

std::uint64_t body_size(const Answer& answer) noexcept {
  if (!answer.has_body) return 0;
  return answer.variant != nullptr ? answer.size : status_text(answer.status).size() + 1;
}

std::size_t write_answer_head(std::span<std::byte> space, const Answer& answer,
                              std::string_view date, After after,
                              const OperatorFields& fields) noexcept {
  Writer writer(space);
  writer.text("HTTP/1.1 ").text(status_text(answer.status));
  writer.text("\r\nDate: ").text(date).text("\r\n");
  if (after == After::close) writer.text("Connection: close\r\n");
  if (after == After::say_stay) writer.text("Connection: keep-alive\r\n");
  if (answer.variant == nullptr) {
    write_generated(writer, answer, fields);
    return writer.size();
  }
  if (answer.status == Status::not_modified)
    return writer.text(answer.variant->fields_304).text("\r\n").size();
  if (answer.status == Status::partial_content) {
    writer.text("Content-Range: bytes ").number(answer.offset).text("-");
    writer.number(answer.offset + answer.size - 1).text("/").number(answer.whole_size);
    writer.text("\r\n");
  }
  if (answer.status != Status::not_found) writer.text("Accept-Ranges: bytes\r\n");
  writer.text("Content-Length: ").number(answer.size).text("\r\n");
  return writer.text(answer.variant->fields).text("\r\n").size();
}

}  // namespace lab
