#include "06-server/lib/protocol/http/log_text.hpp"

#include <array>

namespace lab {

namespace {

constexpr std::array<bool, 256> make_plain() noexcept {
  std::array<bool, 256> table{};
  for (unsigned c = 0x20; c < 0x7f; ++c) table[c] = c != '"' && c != '\\';
  return table;
}
// Stands for itself in every format.
constexpr std::array<bool, 256> plain = make_plain();

constexpr unsigned byte(char c) noexcept { return static_cast<unsigned char>(c); }

// One character of what a client sent: how many bytes it has, and what stands for it.
struct Unit {
  std::size_t bytes;
  std::string_view text;
};

// Bytes of the UTF-8 character in front; 0: there is none. Overlong forms, surrogates and what is
// beyond U+10FFFF are none (RFC 3629).
std::size_t utf8_size(std::string_view text) noexcept {
  const unsigned first = byte(text[0]);
  const std::size_t size = first < 0xc2   ? 0
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                           : first < 0xf5 ? 4
                                          : 0;
  if (size == 0 || text.size() < size) return 0;
  const unsigned second = byte(text[1]);
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (std::size_t i = 2; i < size; ++i)
    if ((byte(text[i]) & 0xc0U) != 0x80) return 0;
  return size;
}

std::string_view in_hex(std::array<char, 6>& space, std::string_view prefix, unsigned value) {
  constexpr std::string_view digits = "0123456789abcdef";
  prefix.copy(space.data(), prefix.size());
  space[prefix.size()] = digits[value >> 4U];
  space[prefix.size() + 1] = digits[value & 15U];
  return {space.data(), prefix.size() + 2};
}

// REQUIRES that the first byte is not plain.
Unit next_unit(std::string_view raw, LogFormat format, std::array<char, 6>& space) noexcept {
  const unsigned first = byte(raw[0]);
  if (format != LogFormat::json) return {1, in_hex(space, "\\x", first)};
  if (first == '"') return {1, "\\\""};
  if (first == '\\') return {1, "\\\\"};
  if (first < 0x80) return {1, in_hex(space, "\\u00", first)};
  const std::size_t size = utf8_size(raw);
  if (size == 0) return {1, "\\ufffd"};
  const bool control = first == 0xc2 && byte(raw[1]) < 0xa0;
  return {size, control ? in_hex(space, "\\u00", byte(raw[1])) : raw.substr(0, size)};
}

}  // namespace

LogText& LogText::escaped(std::string_view raw, LogFormat format, std::size_t most) noexcept {
  constexpr std::string_view dots = "...";
  const std::size_t begin = size_;
  while (!raw.empty()) {
    const std::size_t left = most - dots.size() - (size_ - begin);
    std::size_t run = 0;
    while (run < raw.size() && run < left && plain[byte(raw[run])]) ++run;
    text(raw.substr(0, run));
    raw.remove_prefix(run);
    if (raw.empty()) break;
    std::array<char, 6> space;
    const bool full = run == left;
    const Unit unit = full ? Unit{} : next_unit(raw, format, space);
    if (full || unit.text.size() > left - run) return text(dots);
    text(unit.text);
    raw.remove_prefix(unit.bytes);
  }
  return *this;
}

}  // namespace lab
