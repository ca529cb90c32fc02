#include "tests/http/transcript.hpp"

#include <algorithm>
#include <cstdint>

#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab::test {
namespace {

constexpr std::string_view line_end = "\r\n";

std::string lowered(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), lower);
  return made;
}

bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_value_character);
}

bool has_no_body(int status) { return status == 204 || status == 304; }

// "HTTP/1.1 200 OK"
bool parse_status_line(std::string_view line, HttpAnswer& answer) {
  if (line.size() < 13 || !line.starts_with("HTTP/1.1 ") || line[12] != ' ') return false;
  const auto status = decimal_saturated(line.substr(9, 3));
  if (!status || *status < 100 || *status > 599 || !is_clean(line)) return false;
  answer.status = static_cast<int>(*status);
  return true;
}

// What holds for every answer of this server, whatever was asked.
std::string judge_fields(const HttpAnswer& answer, std::string_view head_of_it) {
  for (const auto& [name, value] : answer.fields) {
    const auto same = [&name = name](const auto& other) {
      return lowered(other.first) == lowered(name);
    };
    if (std::count_if(answer.fields.begin(), answer.fields.end(), same) > 1)
      return "the field " + name + " stands twice";
  }
  const std::string* date = answer.field("Date");
  const std::int64_t far_ahead = 4'000'000'000;
  const auto sent = date == nullptr ? std::nullopt : parse_http_date(*date, far_ahead);
  if (!sent || date->size() != http_date_size) return "it has no Date in the right form";
  if (const std::string* modified = answer.field("Last-Modified")) {
    const auto changed = parse_http_date(*modified, far_ahead);
    if (!changed || *changed > *sent) return "Last-Modified is later than Date";
  }
  if (answer.field("Transfer-Encoding") != nullptr) return "it has a Transfer-Encoding";
  const bool sized = answer.field("Content-Length") != nullptr;
  if (answer.status == 204 && sized) return "a 204 has a Content-Length";
  if (!has_no_body(answer.status) && !sized) return "it has no Content-Length";
  const std::string* type = answer.field("Content-Type");
  if (!has_no_body(answer.status) && type == nullptr) return "it has no Content-Type";
  if (head_of_it.size() > 16 * 1024) return "its head is larger than a client takes";
  return "";
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

void compare_answer(const Want& want, const HttpAnswer& answer, const std::string& which,
                    std::vector<std::string>& found) {
  const auto& statuses = want.statuses;
  if (std::find(statuses.begin(), statuses.end(), answer.status) == statuses.end()) {
    found.push_back(which + " has status " + std::to_string(answer.status) + ", not " +
                    std::to_string(statuses.front()));
  }
  for (const std::string& wanted : want.fields) {
    const std::size_t colon = wanted.find(": ");
    const std::string name = wanted.substr(0, colon);
    const std::string* value = answer.field(name);
    if (value == nullptr) {
      found.push_back(which + " has no " + name);
    } else if (colon != std::string::npos && *value != wanted.substr(colon + 2)) {
      found.push_back(which + " has " + name + ": " + *value + ", not " + wanted.substr(colon + 2));
    }
  }
  for (const std::string& name : want.absent_fields)
    if (answer.field(name) != nullptr) found.push_back(which + " has " + name);
  if (want.size >= 0 && answer.body.size() != static_cast<std::size_t>(want.size)) {
    found.push_back(which + " has a body of " + std::to_string(answer.body.size()) +
                    " bytes, not of " + std::to_string(want.size));
  }
  if (!want.body.empty() && answer.body != want.body)
    found.push_back(which + " has the body " + quoted(answer.body.substr(0, 80)));
}

}  // namespace

const std::string* HttpAnswer::field(std::string_view name) const {
  for (const auto& [other, value] : fields)
    if (lowered(other) == lowered(name)) return &value;
  return nullptr;
}

bool take_answer(std::string_view& bytes, bool to_head, HttpAnswer& answer, std::string& problem) {
  answer = {};
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return false;
  const std::string_view head = bytes.substr(0, head_end + 2);
  std::string_view lines = head;
  bool first = true;
  while (!lines.empty()) {
    const std::size_t end = lines.find(line_end);
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const std::size_t colon = line.find(": ");
    if (first) {
      if (!parse_status_line(line, answer))
        problem = "no status line: " + quoted(line.substr(0, 80));
    } else if (!is_clean(line) || !is_token(line.substr(0, colon))) {
      problem = "no field: " + quoted(line.substr(0, 80));
    } else {
      answer.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    if (!problem.empty()) return false;
    first = false;
  }
  problem = judge_fields(answer, head);
  if (!problem.empty()) return false;

  std::uint64_t size = 0;
  if (!to_head && !has_no_body(answer.status)) {
    const auto length = decimal_saturated(*answer.field("Content-Length"));
    if (!length) {
      problem = "its Content-Length is no number";
      return false;
    }
    size = *length;
  }
  if (bytes.size() - head_end - 4 < size) return false;
  answer.body = bytes.substr(head_end + 4, size);
  bytes.remove_prefix(head_end + 4 + size);
  return true;
}

bool is_complete(const Case& wanted, std::string_view bytes) {
  HttpAnswer answer;
  std::string problem;
  for (const Want& want : wanted.wants)
    if (!take_answer(bytes, want.to_head, answer, problem)) return !problem.empty();
  return wanted.then != Then::open || take_answer(bytes, false, answer, problem) ||
         !problem.empty();
}

std::vector<std::string> compare(const Case& wanted, const Transcript& transcript) {
  std::vector<std::string> found;
  std::string_view rest = transcript.bytes;
  std::string problem;
  HttpAnswer answer;
  for (std::size_t i = 0; i < wanted.wants.size(); ++i) {
    const std::string which = "answer " + std::to_string(i + 1);
    if (!take_answer(rest, wanted.wants[i].to_head, answer, problem)) {
      found.push_back(which + (problem.empty() ? " is missing or cut" : ": " + problem));
      return found;
    }
    compare_answer(wanted.wants[i], answer, which, found);
    const std::string* connection = answer.field("Connection");
    const bool last = i + 1 == wanted.wants.size() && wanted.then != Then::open;
    if (connection != nullptr && *connection == "close" && !last)
      found.push_back(which + " says that it is the last");
  }
  if (wanted.then == Then::open) {
    if (!take_answer(rest, false, answer, problem)) {
      found.push_back("the connection is not usable afterwards: " + problem);
    } else if (answer.status != 200 || answer.body.size() != probe_answer_size) {
      found.push_back("the next request got another answer: " + std::to_string(answer.status));
    }
  }
  if (!rest.empty()) found.push_back("more came: " + quoted(rest.substr(0, 80)));

  const bool open = transcript.end == End::open;
  if (transcript.end == End::reset) found.push_back("the connection was reset");
  if (open != (wanted.then == Then::open))
    found.push_back(open ? "the connection was not closed" : "the connection was closed");
  if (wanted.then == Then::refused && transcript.end == End::closed)
    found.push_back("it was closed at once, so a peer that still sends may not read the answer");
  return found;
}

}  // namespace lab::test
