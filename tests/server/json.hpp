// A strict reader of JSON (RFC 8259), for what the server writes: throws where a program would
// stumble.
#pragma once

#include <cctype>
#include <cstdint>
#include <cstdlib>
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
  std::variant<double, std::string, JsonArray, JsonObject> value;

  /// A member of an object. Throws std::out_of_range when it is not there.
  const Json& operator[](const std::string& name) const {
    return std::get<JsonObject>(value).at(name);
  }
  const JsonArray& array() const { return std::get<JsonArray>(value); }
  double number() const { return std::get<double>(value); }
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
    const std::size_t end = text_.find_first_of("\"\\\n", at_);
    if (end == std::string_view::npos || text_[end] != '"') fail("an unfinished string");
    const std::string content(text_.substr(at_, end - at_));
    at_ = end + 1;
    return content;
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
