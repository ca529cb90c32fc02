// Dates of HTTP (RFC 9110, 5.6.7): three forms are understood, one is written.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lab {

/// "Sun, 06 Nov 1994 08:49:37 GMT" has this many characters.
inline constexpr std::size_t http_date_size = 29;

/// Writes the IMF-fixdate. REQUIRES 0 <= `seconds` (since 1970) and a year below 10000.
void write_http_date(std::span<char, http_date_size> text, std::int64_t seconds) noexcept;

/// The seconds since 1970 of a date in any of the three forms: IMF-fixdate, RFC 850, asctime.
/// @param now_s of RFC 850's two digits of a year: what would be more than 50 years ahead is past
/// @return none: it is no date
std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now_s) noexcept;

/// The text of the current second, written once in it.
class DateCache {
 public:
  /// @return it stays as it is until the next call
  std::string_view at(std::int64_t now_s) noexcept {
    if (now_s != written_s_) {
      write_http_date(text_, now_s);
      written_s_ = now_s;
    }
    return {text_.data(), text_.size()};
  }

 private:
  std::array<char, http_date_size> text_{};
  std::int64_t written_s_ = -1;
};

}  // namespace lab
