// A strict reader of JSON (RFC 8259), for what the server writes: throws where a program would
// stumble.
#pragma once

#include <locale.h>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cwchar>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lab {

struct Json;
using JsonObject = std::map<std::string, Json>;
using JsonArray = std::vector<Json>;

struct Json {
  std::variant<double, bool, std::string, JsonArray, JsonObject> value;

  /// A member of an object. Throws std::out_of_range when it is not there.
  const Json& operator[](const std::string& name) const {
    return std::get<JsonObject>(value).at(name);
  }
  const JsonArray& array() const { return std::get<JsonArray>(value); }
  double number() const { return std::get<double>(value); }
  bool boolean() const { return std::get<bool>(value); }
  const std::string& text() const { return std::get<std::string>(value); }
  bool has(const std::string& name) const { return std::get<JsonObject>(value).contains(name); }
};

class JsonReader {
 public:
  /// The whole text is one value. Throws std::invalid_argument otherwise.
  static Json read(std::string_view text) {
    JsonReader reader(text);
    Json value = reader.any();
    if (reader.at_ != text.size()) reader.fail("more text after the value");
    return value;
  }

 private:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Json any() {
    switch (peek()) {
      case '{':
        return {object()};
      case '[':
        return {array()};
      case '"':
        return {string()};
      case 't':
        return {word("true")};
      case 'f':
        return {!word("false")};
      default:
        return {number()};
    }
  }

  JsonObject object() {
    JsonObject members;
    expect('{');
    while (peek() != '}') {
      if (!members.empty()) expect(',');
      const std::string name = string();
      expect(':');
      if (!members.emplace(name, any()).second) fail("the name \"" + name + "\" stands twice");
    }
    expect('}');
    return members;
  }

  JsonArray array() {
    JsonArray items;
    expect('[');
    while (peek() != ']') {
      if (!items.empty()) expect(',');
      items.push_back(any());
    }
    expect(']');
    return items;
  }

  std::string string() {
    expect('"');
    std::string content;
    while (peek() != '"') {
      if (static_cast<unsigned char>(peek()) < 0x20) fail("an unfinished string");
      if (peek() == '\\') {
        content += escape();
      } else if (const std::size_t size = character_size(); size > 0) {
        content += text_.substr(at_, size);
        at_ += size;
      } else {
        fail("no UTF-8");
      }
    }
    ++at_;
    return content;
  }

  // Of those of the Basic Multilingual Plane; no server of ours needs others.
  std::string escape() {
    ++at_;
    const char kind = peek();
    ++at_;
    if (kind == '"' || kind == '\\' || kind == '/') return std::string(1, kind);
    if (kind != 'u') fail("an escape that no server of ours writes");
    const std::string digits(text_.substr(at_, 4));
    if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos ||
        digits.size() != 4) {
      fail("no four digits");
    }
    at_ += 4;
    const auto code = static_cast<unsigned>(std::strtoul(digits.c_str(), nullptr, 16));
    const auto tail = [](unsigned bits) { return static_cast<char>(0x80U | (bits & 0x3fU)); };
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    if (code < 0x800) return {static_cast<char>(0xc0U | code >> 6U), tail(code)};
    return {static_cast<char>(0xe0U | code >> 12U), tail(code >> 6U), tail(code)};
  }

  // 0: what is in front is no UTF-8. By the decoder of the C library, which knows all the rules.
  std::size_t character_size() const {
    const auto first = static_cast<unsigned char>(text_[at_]);
    if (first < 0x80) return 1;
    static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8 == nullptr) return 1;
    const locale_t before = uselocale(utf8);
    std::mbstate_t state{};
    const std::size_t size = std::mbrlen(text_.data() + at_, text_.size() - at_, &state);
    uselocale(before);
    return size > 4 ? 0 : size;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) fail("no value");
    at_ += expected.size();
    return true;
  }

  double number() {
    const std::size_t begin = at_;
    if (peek() == '-') ++at_;
    digits();
    if (peek() == '.') {
      ++at_;
      digits();
    }
    return std::strtod(std::string(text_.substr(begin, at_ - begin)).c_str(), nullptr);
  }

  void digits() {
    const std::size_t begin = at_;
    while (std::isdigit(static_cast<unsigned char>(peek())) != 0) ++at_;
    if (at_ == begin) fail("a digit is missing");
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void expect(char what) {
    if (peek() != what) fail(std::string("no '") + what + "'");
    ++at_;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw std::invalid_argument(what + " at character " + std::to_string(at_) + " of " +
                                std::string(text_));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace lab
