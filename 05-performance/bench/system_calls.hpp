// How many system calls a server made for its load, from the statistics that it writes now and
// then.
#pragma once

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "05-performance/bench/json_field.hpp"

namespace lab {

/// Totals of a server at one moment. io_uring_enter is the only call of the capstone's data path;
/// epoll-echo counts all of its own. The portable engine leaves them to libuv and counts none.
struct Totals {
  double calls = 0;
  double bytes = 0;
  double accepted = 0;

  static Totals read(const std::string& line) {
    const auto number = [&](const char* name) { return json_number(line, name); };
    return {.calls = number("enters").value_or(number("system_calls").value_or(0)),
            .bytes = number("bytes_in").value_or(0),
            .accepted = number("accepted").value_or(0)};
  }
};

/// System calls a byte while the load ran: not while its connections were opened or closed.
/// @param lines what the server wrote from the run's beginning on, a line each
/// @return nothing when too few lines fell into that time, or the server counts no calls
inline std::optional<double> system_calls_per_byte(const std::string& lines) {
  std::vector<Totals> all;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    all.push_back(Totals::read(line));
  }
  if (all.empty()) return std::nullopt;
  const Totals& end = all.back();
  const auto open = [&](const Totals& at) { return at.accepted == end.accepted && at.bytes > 0; };
  const auto busy = [&](const Totals& at) { return at.bytes < end.bytes; };
  auto first = std::ranges::find_if(all, open);
  auto last = first;
  while (last != all.end() && busy(*last)) ++last;
  if (last - first < 2) return std::nullopt;  // too short to see
  --last;
  if (last->bytes <= first->bytes || last->calls == 0) return std::nullopt;
  return (last->calls - first->calls) / (last->bytes - first->bytes);
}

}  // namespace lab
