// The head of a request: what its lines say, checked line by line (RFC 9112, 2 to 6).
//
// Lifetime: it keeps positions, not addresses, so the bytes may move while lines are still missing.
// Rule: strict. What two servers could read in two ways is refused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "06-server/lib/protocol/http/http_status.hpp"

namespace lab {

/// What is too much.
struct HeadLimits {
  std::uint32_t bytes = 16 * 1024;        ///< of the head; more is answered with 431
  std::uint32_t fields = 100;             ///< lines; more is answered with 431
  std::uint32_t target_bytes = 8 * 1024;  ///< more is answered with 414
  std::uint64_t body_bytes = 1 << 20;     ///< more is answered with 413
};

/// A method longer than this is none that anybody knows.
inline constexpr std::uint32_t method_bytes_max = 32;

/// What shall be done. Case counts (RFC 9110, 9.1).
enum class Method : std::uint8_t {
  get,      ///< the file
  head,     ///< the same without its body
  options,  ///< what may be asked for, and CORS
  other,    ///< RFC 9110 and PATCH: known, but nothing here offers it
  unknown   ///< no method of any RFC that is read here: 501
};

/// Fields whose values are looked up later.
enum class Field : std::uint8_t {
  host,                 ///< as it came, with its port
  accept,               ///< which types
  accept_encoding,      ///< which codings
  if_match,             ///< RFC 9110, 13.1.1
  if_none_match,        ///< 13.1.2
  if_modified_since,    ///< 13.1.3
  if_unmodified_since,  ///< 13.1.4
  if_range,             ///< 13.1.5
  range,                ///< 14.2
};
/// How many enumerators Field has.
inline constexpr std::size_t looked_up_fields = 9;

/// One request's head, as far as it has been read.
/// @code
///   Status refusal = head.read_request_line(line, limits);         // then, for each further line,
///   refusal = head.read_field(line, position_of_the_line, limits);
///   refusal = head.finish(all_bytes, limits);                      // at the empty line
/// @endcode
/// Each gives none, or with what the request is refused.
class RequestHead {
 public:
  /// @param line without its CRLF; `position` is that of its first byte in the head
  Status read_request_line(std::string_view line, std::size_t position,
                           const HeadLimits& limits) noexcept;
  /// @param line without its CRLF; `position` is that of its first byte in the head
  Status read_field(std::string_view line, std::size_t position, const HeadLimits& limits) noexcept;
  /// What only the whole head can tell.
  /// @param head all of it
  Status finish(std::string_view head, const HeadLimits& limits) noexcept;

  /// True once its first line was read.
  bool has_request_line() const noexcept { return method_size_ != 0; }
  /// What the request line says.
  Method method() const noexcept { return method_; }
  /// HTTP/1.0, or something later that is answered as 1.1.
  bool is_http_1_0() const noexcept { return is_1_0_; }
  /// Whether the client wants the connection to stay: the version's rule, or what it said.
  bool keep_alive() const noexcept { return !close_ && (!is_1_0_ || keep_alive_); }
  /// Expect: 100-continue.
  bool expects_continue() const noexcept { return expects_continue_; }
  /// A browser asks what another site's page may do here (Access-Control-Request-Method).
  bool is_preflight() const noexcept { return method_ == Method::options && preflight_; }
  /// Transfer-Encoding: chunked, so where the body ends is not known yet.
  bool chunked() const noexcept { return chunked_; }
  /// Bytes of the body; 0 without one.
  std::uint64_t content_length() const noexcept { return content_length_; }
  /// True when bytes of a body follow the head.
  bool has_body() const noexcept { return chunked_ || content_length_ > 0; }

  /// @param head its bytes, wherever they are now
  std::string_view target(std::string_view head) const noexcept { return in(head, target_); }
  /// How often a field stood there: 0, 1, or 2 for more.
  unsigned occurrences(Field field) const noexcept { return seen_[index(field)]; }
  /// The value of its first line; empty without one.
  std::string_view value(Field field, std::string_view head) const noexcept {
    return in(head, values_[index(field)]);
  }
  /// Calls `visit(value)` for each line of a field that is a list.
  template <class Visit>
  void for_each_value(Field field, std::string_view head, Visit&& visit) const noexcept {
    if (occurrences(field) > 0) visit(value(field, head));
    if (occurrences(field) < 2) return;
    std::string_view rest = head.substr(values_[index(field)].position);
    for (auto more = next_value(field, rest); more; more = next_value(field, rest)) visit(*more);
  }

 private:
  struct Slice {
    std::uint32_t position = 0;
    std::uint32_t size = 0;
  };

  /// The value of the next line of this name, after the line in which `rest` begins.
  static std::optional<std::string_view> next_value(Field field, std::string_view& rest) noexcept;

  static constexpr std::size_t index(Field field) noexcept {
    return static_cast<std::size_t>(field);
  }
  static std::string_view in(std::string_view head, Slice slice) noexcept {
    return head.substr(slice.position, slice.size);
  }

  Status read_special_field(std::string_view name, std::string_view value) noexcept;
  Status read_content_length(std::string_view value) noexcept;
  Status read_transfer_encoding(std::string_view value) noexcept;
  void read_connection(std::string_view value) noexcept;

  std::array<Slice, looked_up_fields> values_{};
  std::array<std::uint8_t, looked_up_fields> seen_{};
  Slice target_;
  std::uint64_t content_length_ = 0;
  std::uint32_t fields_ = 0;
  std::uint8_t method_size_ = 0;
  Method method_ = Method::unknown;
  bool is_1_0_ = false;
  bool keep_alive_ = false;
  bool close_ = false;
  bool expects_continue_ = false;
  bool expects_other_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  bool preflight_ = false;
};

}  // namespace lab
