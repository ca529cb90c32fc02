// A command line's number with its range, so that a bad value names the option, the value and the
// range.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <type_traits>

namespace lab {

/// As CLI::Range, which lets "nan" pass, for it is neither too small nor too large, and takes
/// "-18446744073709551615" for 1.
template <class Number>
CLI::Validator in_range(Number low, Number high) {
  return {[low, high](std::string& text) -> std::string {
            Number value{};
            const bool wraps = std::is_unsigned_v<Number> && text.starts_with('-');
            const bool read = !wraps && CLI::detail::lexical_cast(text, value);
            if (read && value >= low && value <= high) return {};
            return fmt::format("{} is not between {} and {}", text, low, high);
          },
          fmt::format("{} to {}", low, high)};
}

}  // namespace lab
