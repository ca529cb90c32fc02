// Two ways to read a request that strict parsers refuse, and why they refuse it: the two see
// different requests in the same bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace careless {

/// What a parser does with what the RFC forbids.
struct Parser {
  bool last_length_wins;  ///< of two Content-Length lines; else the first one
  bool trims_names;       ///< takes "Transfer-Encoding " for "Transfer-Encoding"; else ignores it
};

// [walk careless]
// How many requests it sees.
inline int requests_in(std::string_view bytes, const Parser& parser) {
  int requests = 0;
  for (; !bytes.empty(); ++requests) {
    std::size_t length = 0;
    bool has_length = false;
    bool chunked = false;
    for (std::string_view line = "?"; !line.empty();) {
      const std::size_t end = std::min(bytes.find("\r\n"), bytes.size() - 2);
      line = bytes.substr(0, end);
      bytes.remove_prefix(end + 2);
      const std::size_t colon = std::min(line.find(':'), line.size());
      std::string_view name = line.substr(0, colon);
      if (parser.trims_names) name = name.substr(0, name.find(' '));
      if (name == "Transfer-Encoding") chunked = true;
      if (name != "Content-Length" || (has_length && !parser.last_length_wins)) continue;
      length = std::strtoul(std::string(line.substr(colon + 1)).c_str(), nullptr, 10);
      has_length = true;
    }
    if (chunked) length = bytes.find("0\r\n\r\n") + 5;  // the last chunk
    bytes.remove_prefix(std::min(length, bytes.size()));
  }
  return requests;
}
// [/walk]

}  // namespace careless
