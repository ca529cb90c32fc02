// The words of a command line that are no options: names of files, taken as they are.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lab {

/// Any number of operands. A vector given to CLI::App::add_option would not do: there "[a]" means
/// the list of one word "a", and "[]" nothing, so `program '[a]'` would work on another file than
/// the one that was named. allow_extra_args(false) switches that off, and for a positional takes
/// only the first word; therefore this asks for as many words as there may be.
/// @param words keep what is in them when there is no operand
inline CLI::Option* add_operands(CLI::App& app, const std::string& name,
                                 std::vector<std::string>& words, const std::string& description) {
  constexpr int any_number = CLI::detail::expected_max_vector_size;
  const auto take = [&words](const CLI::results_t& given) {
    words = given;
    return true;
  };
  return app.add_option(name, CLI::callback_t(take), description)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(any_number, any_number)
      ->type_name("");
}

}  // namespace lab
