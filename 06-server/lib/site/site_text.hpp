// Text of a site in the forms that others want: names in messages and in URLs, dates, UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lab {

/// A name as a message can have it: what a terminal would act on, and the quote and the backslash,
/// as `\\xNN`. UTF-8 is left as it is where it is right.
std::string shown(std::string_view raw);

/// A decoded path as a URL has it: all bytes but those of RFC 3986's pchar and the slash as %NN.
std::string encoded_path(std::string_view decoded);

/// The same for a URL that is typed into a shell: what that would act on is %NN, too.
std::string encoded_path_for_shell(std::string_view decoded);

/// IMF-fixdate, RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::int64_t seconds);

/// ASCII alone: the names of files are no text of a locale.
void lowercase(std::string& text);

/// Tells in pieces whether text is UTF-8 (RFC 3629: no surrogates, nothing overlong).
class Utf8Check {
 public:
  /// The next piece. A character may be cut between two.
  void feed(std::span<const std::byte> piece) noexcept;
  /// True when all that was fed is whole and valid.
  bool valid() const noexcept { return valid_ && missing_ == 0; }

 private:
  bool valid_ = true;
  unsigned missing_ = 0;  // bytes that the sequence begun still needs
  unsigned char low_ = 0x80;
  unsigned char high_ = 0xBF;  // what its next byte may be
};

}  // namespace lab
