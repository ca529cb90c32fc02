// Writes parts of a line of the access log. What clients sent is escaped, so that nobody can end a
// line, begin one, or break out of a quoted string.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lab {

/// How a line is written.
enum class LogFormat : std::uint8_t {
  common,    ///< the Common Log Format
  combined,  ///< the same with Referer and User-Agent
  json       ///< an object a line
};

/// A text that grows in memory with a bound. REQUIRES that what is put in fits.
class LogText {
 public:
  explicit LogText(std::span<char> space) noexcept : space_(space) {}

  /// Bytes so far.
  std::size_t size() const noexcept { return size_; }
  /// As it is.
  LogText& text(std::string_view text) noexcept {
    text.copy(space_.data() + size_, text.size());
    size_ += text.size();
    return *this;
  }
  /// In decimal.
  LogText& number(std::uint64_t value) noexcept {
    char* const end = space_.data() + space_.size();
    size_ = static_cast<std::size_t>(std::to_chars(space_.data() + size_, end, value).ptr -
                                     space_.data());
    return *this;
  }
  /// What a client sent, for the inside of a quoted string. common and combined: `\xHH` for each
  /// byte that is not printable ASCII, and for `"` and `\`. json: what JSON asks for, `\u00HH` for
  /// DEL and the C1 controls too, and `\ufffd` for each byte that is no UTF-8.
  /// @param most characters that it may take; what is longer is cut, and ends with three dots
  LogText& escaped(std::string_view raw, LogFormat format, std::size_t most) noexcept;

 private:
  std::span<char> space_;
  std::size_t size_ = 0;
};

}  // namespace lab
