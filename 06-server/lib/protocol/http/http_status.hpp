// The status codes that the server sends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lab {

/// Codes of RFC 9110, 15.
enum class Status : std::uint16_t {
  none = 0,                     ///< nothing is wrong yet
  ok = 200,                     ///< all of it
  no_content = 204,             ///< to OPTIONS
  partial_content = 206,        ///< one range of a file
  moved_permanently = 301,      ///< a directory without its slash, or a redirect of the site
  not_modified = 304,           ///< the client has it
  bad_request = 400,            ///< no HTTP, or ambiguous; the connection ends
  forbidden = 403,              ///< its address is denied: see refusal_answer()
  not_found = 404,              ///< no such path
  method_not_allowed = 405,     ///< known, and not GET, HEAD or OPTIONS
  not_acceptable = 406,         ///< no coding that the client takes
  request_timeout = 408,        ///< its request was not complete in time
  precondition_failed = 412,    ///< If-Match or If-Unmodified-Since
  content_too_large = 413,      ///< its body, which is read past and never used
  uri_too_long = 414,           ///< also a request line that does not end
  range_not_satisfiable = 416,  ///< it begins behind the end of the file
  expectation_failed = 417,     ///< Expect, with something other than 100-continue
  too_many_requests = 429,      ///< more often than --rate allows
  too_many_fields = 431,        ///< or too many bytes of them
  internal_error = 500,   ///< no buffer can hold its head: fields of the operator's are too long
  not_implemented = 501,  ///< a method or a transfer coding that is not known
  service_unavailable = 503,    ///< it is there, but not now
  version_not_supported = 505,  ///< not HTTP/1.x
};

/// "404 Not Found": as it stands in a status line, and as the body of an error.
constexpr std::string_view status_text(Status status) noexcept {
  switch (status) {
    case Status::none:
      break;
    case Status::ok:
      return "200 OK";
    case Status::no_content:
      return "204 No Content";
    case Status::partial_content:
      return "206 Partial Content";
    case Status::moved_permanently:
      return "301 Moved Permanently";
    case Status::not_modified:
      return "304 Not Modified";
    case Status::bad_request:
      return "400 Bad Request";
    case Status::forbidden:
      return "403 Forbidden";
    case Status::not_found:
      return "404 Not Found";
    case Status::method_not_allowed:
      return "405 Method Not Allowed";
    case Status::not_acceptable:
      return "406 Not Acceptable";
    case Status::request_timeout:
      return "408 Request Timeout";
    case Status::precondition_failed:
      return "412 Precondition Failed";
    case Status::content_too_large:
      return "413 Content Too Large";
    case Status::uri_too_long:
      return "414 URI Too Long";
    case Status::range_not_satisfiable:
      return "416 Range Not Satisfiable";
    case Status::expectation_failed:
      return "417 Expectation Failed";
    case Status::too_many_requests:
      return "429 Too Many Requests";
    case Status::too_many_fields:
      return "431 Request Header Fields Too Large";
    case Status::internal_error:
      return "500 Internal Server Error";
    case Status::not_implemented:
      return "501 Not Implemented";
    case Status::service_unavailable:
      return "503 Service Unavailable";
    case Status::version_not_supported:
      return "505 HTTP Version Not Supported";
  }
  return "";
}

namespace detail {

constexpr std::uint16_t status_end = 600;

constexpr std::size_t count_statuses() noexcept {
  std::size_t count = 0;
  for (std::uint16_t code = 100; code < status_end; ++code) {
    if (!status_text(static_cast<Status>(code)).empty()) ++count;
  }
  return count;
}

}  // namespace detail

/// All of them, in order: those that have a text.
inline constexpr auto statuses = [] {
  std::array<Status, detail::count_statuses()> all{};
  std::size_t count = 0;
  for (std::uint16_t code = 100; code < detail::status_end; ++code) {
    const auto status = static_cast<Status>(code);
    if (!status_text(status).empty()) all[count++] = status;
  }
  return all;
}();

}  // namespace lab
