// Numbers on a command line are decimal.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

namespace lab {

/// CLI11 reads as C++ does: 010 is 8, 0x10 is 16. A person who writes 010 means ten. Here zeros in
/// front mean nothing, and what is no decimal number is refused. Call it when all options are
/// added.
inline void take_decimal_numbers(CLI::App& app) {
  const auto decimal = [](std::string& text) -> std::string {
    const std::size_t sign = text.rfind('-', 0) == 0 ? 1 : 0;
    if (text.size() == sign ||
        !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(sign), text.end(),
                     [](char c) { return c >= '0' && c <= '9'; }))
      return fmt::format("'{}' is no decimal number", text);
    const std::size_t first = std::min(text.find_first_not_of('0', sign), text.size() - 1);
    text.erase(sign, first - sign);
    return {};
  };
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    // transform() puts it in front of the option's other checks.
    if (type.rfind("UINT", 0) == 0 || type.rfind("INT", 0) == 0) {
      option->transform(CLI::Validator(decimal, ""));
    }
  }
}

}  // namespace lab
