// A command line's number with its range, so that a bad value names the option, the value and the
// range.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>

namespace lab {

/// As CLI::Range, which lets "nan" pass: it is neither too small nor too large.
template <class Number>
CLI::Validator in_range(Number low, Number high) {
  return {[low, high](std::string& text) -> std::string {
            Number value{};
            if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
            return fmt::format("{} is not between {} and {}", text, low, high);
          },
          fmt::format("{} to {}", low, high)};
}

}  // namespace lab
