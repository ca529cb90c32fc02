// Reads one number out of JSON that we wrote ourselves: ringload's result, the server's statistics.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace lab {

/// The first field of that name, at whatever depth: both programs put their totals first.
inline std::optional<double> json_number(const std::string& json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":";
  const std::size_t place = json.find(key);
  if (place == std::string::npos) return std::nullopt;
  const char* begin = json.c_str() + place + key.size();
  char* end = nullptr;
  const double value = std::strtod(begin, &end);
  return end == begin ? std::nullopt : std::optional(value);
}

}  // namespace lab
