#include "06-server/lib/site/site_text.hpp"

#include <fmt/format.h>

#include <ctime>

namespace lab {

namespace {

// @param plain what stays as it is, beside letters and digits
std::string encoded_but(std::string_view plain, std::string_view decoded) {
  std::string text;
  for (const char c : decoded) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric || plain.find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

}  // namespace

std::string shown(std::string_view raw) {
  Utf8Check check;
  check.feed(std::as_bytes(std::span(raw.data(), raw.size())));
  std::string text;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 ? byte >= 0x20 && byte != 0x7F : check.valid();
    if (plain && c != '\\' && c != '\'') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", byte);
    }
  }
  return text;
}

std::string encoded_path(std::string_view decoded) {
  return encoded_but("-._~!$&'()*+,;=:@/", decoded);
}

std::string encoded_path_for_shell(std::string_view decoded) {
  return encoded_but("-._~+,=:@/", decoded);
}

// strftime would ask the locale.
std::string http_date(std::int64_t seconds) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[utc.tm_wday], utc.tm_mday,
                     months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

void lowercase(std::string& text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
}

void Utf8Check::feed(std::span<const std::byte> piece) noexcept {
  if (!valid_) return;
  for (const std::byte one : piece) {
    const auto byte = static_cast<unsigned char>(one);
    if (missing_ != 0) {
      if (byte < low_ || byte > high_) {
        valid_ = false;
        return;
      }
      --missing_;
      low_ = 0x80;
      high_ = 0xBF;
    } else if (byte >= 0xC2 && byte <= 0xF4) {
      missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      // The second byte says what is overlong, a surrogate, or beyond the last character.
      if (byte == 0xE0) low_ = 0xA0;
      if (byte == 0xED) high_ = 0x9F;
      if (byte == 0xF0) low_ = 0x90;
      if (byte == 0xF4) high_ = 0x8F;
    } else if (byte >= 0x80) {
      valid_ = false;
      return;
    }
  }
}

}  // namespace lab
