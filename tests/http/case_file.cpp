#include "tests/http/case_file.hpp"

#include <cctype>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab::test {
namespace {

/// Lines of one row, before its variants are made.
struct Row {
  std::string id;
  std::string title;
  std::vector<std::string> variants;
  std::vector<std::pair<int, std::string>> lines;  ///< with their numbers
};

class Reader {
 public:
  Reader(std::string file, const FindTag& find_tag) : file_(std::move(file)), find_tag_(find_tag) {}

  std::vector<Case> read() {
    std::ifstream stream(file_);
    if (!stream) throw std::runtime_error(file_ + ": cannot be read");
    std::string line;
    Row row;
    while (std::getline(stream, line)) {
      ++line_;
      if (line.empty() || line[0] == '#') continue;
      const auto [word, rest] = split(line);
      if (word == "case") {
        finish(row);
        const auto [id, title] = split(rest);
        row = {.id = id, .title = title};
      } else if (row.id.empty()) {
        fail("a line before the first \"case\"");
      } else if (word == "each") {
        row.variants.push_back(rest);
      } else {
        row.lines.emplace_back(line_, line);
      }
    }
    finish(row);
    return std::move(cases_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(file_ + ":" + std::to_string(line_) + ": " + what);
  }

  static std::pair<std::string, std::string> split(const std::string& line) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) return {line, ""};
    return {line.substr(0, space), line.substr(space + 1)};
  }

  void finish(const Row& row) {
    if (row.id.empty()) return;
    const int here = line_;
    if (row.variants.empty()) {
      add(row, row.id, "");
    } else {
      for (std::size_t i = 0; i < row.variants.size(); ++i)
        add(row, row.id + "/" + std::to_string(i + 1), row.variants[i]);
    }
    line_ = here;
  }

  void add(const Row& row, const std::string& name, const std::string& variant) {
    Case made{.name = name, .title = row.title};
    for (const auto& [number, line] : row.lines) {
      line_ = number;
      std::string text = line;
      for (std::size_t at = text.find("{each}"); at != std::string::npos; at = text.find("{each}"))
        text.replace(at, 6, variant);
      const auto [word, rest] = split(text);
      if (word == "send") {
        made.steps.push_back({.text = unescape(expand(rest))});
      } else if (word == "end") {
        made.steps.push_back({.kind = Step::Kind::end});
      } else if (word == "pass") {
        made.steps.push_back(
            {.kind = Step::Kind::pass, .milliseconds = static_cast<unsigned>(std::stoul(rest))});
      } else if (word == "want") {
        made.wants.push_back(parse_want(expand(rest)));
      } else if (word == "refused") {
        made.wants.push_back(parse_want(rest + " 'Connection: close'"));
        made.then = Then::refused;
      } else if (word == "closed") {
        made.then = Then::closed;
      } else {
        fail("\"" + word + "\" is no word of a case");
      }
    }
    if (made.steps.empty()) fail("case " + name + " does nothing");
    cases_.push_back(std::move(made));
  }

  // The innermost braces first, so that they may stand in each other.
  std::string expand(std::string text) const {
    for (std::size_t end = text.find('}'); end != std::string::npos; end = text.find('}')) {
      const std::size_t begin = text.rfind('{', end);
      if (begin == std::string::npos) fail("a } without its {");
      const std::string made = expand_one(text.substr(begin + 1, end - begin - 1));
      text.replace(begin, end - begin + 1, made);
    }
    if (text.find('{') != std::string::npos) fail("a { without its }");
    return text;
  }

  std::string expand_one(const std::string& macro) const {
    const auto [name, arguments] = split(macro);
    if (name == "G") return request("GET /", arguments, "");
    if (name == "R") return request("GET /f.bin", "Range: " + arguments, "");
    const std::size_t bar = arguments.find('|');
    const std::string first = arguments.substr(0, bar);
    const std::string second = bar == std::string::npos ? "" : arguments.substr(bar + 1);
    if (name == "M") return request(first, second, "");
    if (name == "P") return request("POST /", first, second);
    if (name == "repeat") {
      const auto [count, text] = split(arguments);
      std::string all;
      for (unsigned long i = std::stoul(count); i > 0; --i) all += text;
      return all;
    }
    if (name == "tag") {
      const auto [path, coding] = split(arguments);
      return find_tag_(path, coding.empty() ? "identity" : coding);
    }
    fail("\"{" + name + "}\" is not known");
  }

  static std::string request(const std::string& method_and_target, const std::string& lines,
                             const std::string& body) {
    return method_and_target + " HTTP/1.1\\r\\nHost: h\\r\\n" + lines +
           (lines.empty() ? "\\r\\n" : "\\r\\n\\r\\n") + body;
  }

  std::string unescape(const std::string& text) const {
    std::string made;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        made += text[i];
        continue;
      }
      const char kind = ++i < text.size() ? text[i] : '?';
      static constexpr std::string_view names = "rnt0s\\";
      static constexpr std::string_view values{"\r\n\t\0 \\", 6};
      if (const std::size_t at = names.find(kind); at != std::string_view::npos) {
        made += values[at];
      } else if (kind == 'x' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                 hex_value(text[i + 2]) >= 0) {
        made += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
        i += 2;
      } else {
        fail(std::string("\\") + kind + " is no escape");
      }
    }
    return made;
  }

  // Words between spaces; 'what stands in quotes' is one.
  std::vector<std::string> words(const std::string& text) const {
    std::vector<std::string> all;
    std::string word;
    bool quoted = false;
    for (const char c : text + ' ') {
      if (c == '\'') quoted = !quoted;
      if (c == '\'') continue;
      if (c == ' ' && !quoted) {
        if (!word.empty()) all.push_back(std::move(word));
        word.clear();
      } else {
        word += c;
      }
    }
    if (quoted) fail("a quote is not closed");
    return all;
  }

  Want parse_want(const std::string& text) const {
    Want want;
    for (const std::string& word : words(text)) {
      if (word == "head") {
        want.to_head = true;
      } else if (word.starts_with("size=")) {
        want.size = std::stol(word.substr(5));
      } else if (word.starts_with("body=")) {
        want.body = unescape(word.substr(5));
      } else if (word[0] == '!') {
        want.absent_fields.push_back(word.substr(1));
      } else if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
        for (std::size_t at = 0; at != std::string::npos; at = word.find('|', at)) {
          if (at > 0) ++at;
          want.statuses.push_back(std::stoi(word.substr(at)));
        }
      } else {
        want.fields.push_back(word);
      }
    }
    if (want.statuses.empty()) fail("an answer without a status");
    return want;
  }

  std::string file_;
  const FindTag& find_tag_;
  int line_ = 0;
  std::vector<Case> cases_;
};

}  // namespace

std::vector<Case> read_cases(const std::string& file, const FindTag& find_tag) {
  return Reader(file, find_tag).read();
}

}  // namespace lab::test
