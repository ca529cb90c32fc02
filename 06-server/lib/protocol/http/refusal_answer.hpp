// What a client hears whose connection is not let in: the same bytes for all, which cost nothing.
#pragma once

#include <string_view>

#include "06-server/lib/limits/refused.hpp"

namespace lab {

/// From memory that never changes, for it may be on its way at any time. So it has no Date, which
/// RFC 9110, 6.6.1 asks of a server with a clock, and no field of the operator's.
/// Source: RFC 6585, 4 (429); RFC 9110, 15.6.4 (503) and 10.2.3 (Retry-After)
constexpr std::string_view refusal_answer(Refused why) noexcept {
  if (why == Refused::denied) {
    return "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain\r\n"
           "Content-Length: 14\r\n\r\n403 Forbidden\n";
  }
  if (why == Refused::delay) {
    return "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
           "Content-Type: text/plain\r\nContent-Length: 24\r\n\r\n503 Service Unavailable\n";
  }
  return "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\n"
         "Content-Type: text/plain\r\nContent-Length: 22\r\n\r\n429 Too Many Requests\n";
}

}  // namespace lab
