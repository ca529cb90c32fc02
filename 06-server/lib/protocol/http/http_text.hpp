// The characters and lists of HTTP's fields (RFC 9110, 5.6), read in place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lab {

namespace detail {

constexpr std::array<bool, 256> make_token_characters() noexcept {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> token_characters = make_token_characters();

}  // namespace detail

/// tchar of RFC 9110, 5.6.2.
constexpr bool is_token_character(char c) noexcept {
  return detail::token_characters[static_cast<unsigned char>(c)];
}

/// True for one token character or more, and nothing else (RFC 9110, 5.6.2).
constexpr bool is_token(std::string_view text) noexcept {
  for (const char c : text)
    if (!is_token_character(c)) return false;
  return !text.empty();
}

/// ASCII alone.
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
/// A space or a tab: OWS of RFC 9110, 5.6.3.
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

/// What may stand in a field's value: blanks, visible characters and the bytes from 0x80, which are
/// opaque (RFC 9110, 5.5).
constexpr bool is_value_character(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 ? byte != 0x7f : c == '\t';
}

/// The small letter of a capital one, ASCII alone; all else as it is.
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// @param lowered has no capital letters
constexpr bool equals_ignoring_case(std::string_view text, std::string_view lowered) noexcept {
  if (text.size() != lowered.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (lower(text[i]) != lowered[i]) return false;
  return true;
}

/// Without the blanks around it: space and tab, and no other (0xA0 is a byte like any).
constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// The value of a hexadecimal digit; -1: it is none.
constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// A decimal number; none: it is empty or has something else than digits. What is too large for 64
/// bits is the largest of them: nothing wraps.
constexpr std::optional<std::uint64_t> decimal_saturated(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  constexpr std::uint64_t most = ~std::uint64_t{0};
  std::uint64_t number = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    number = number > (most - digit) / 10 ? most : number * 10 + digit;
  }
  return number;
}

/// Takes the next member off a list that commas separate, without the blanks around it. Empty ones
/// count for nothing (RFC 9110, 5.6.1.2) and are left out; so the result is empty at the end only.
/// Not for lists whose members have quotes.
constexpr std::string_view next_member(std::string_view& list) noexcept {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view member = trimmed(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!member.empty()) return member;
  }
  return {};
}

}  // namespace lab
