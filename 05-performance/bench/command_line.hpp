// A program's command line: its options, its --help, and what it says of a wrong one.
//
// CLI11 does the work and stays inside: a compiler reads its header for longer than most of the
// lab's programs take as a whole. The functions here are called as those of CLI11 that they hand
// on to.
//   CommandLine line("epoll-echo", "An echo server on epoll.");
//   line.add_option("--port", options.port, "0 lets the kernel pick one")
//       .check(in_range(0, 65535))
//       .capture_default_str();
//   line.parse(argc, argv);
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lab {

/// Judges one word of the command line.
struct WordCheck {
  /// What is wrong with the word, empty when nothing is. It may put another in its place.
  std::function<std::string(std::string& word)> complaint;
  std::string shown;  ///< behind the option in --help
};

/// The word is a number from low to high. "nan" is none, and for an unsigned Number no negative
/// one wraps. Number: int, unsigned, std::uint16_t, std::uint64_t, double
template <class Number>
WordCheck in_range(Number low, Number high);

WordCheck one_of(const std::vector<std::string>& words);

WordCheck existing_file();

/// For an operand that is a file: a script's variable that is not set would be named as nothing.
WordCheck not_empty();

/// One option of a CommandLine: a handle, which lives as long as that. Each function gives it
/// back, so that calls can be chained.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option& option) : option_(&option) {}

  CommandOption check(const WordCheck& check) const;
  /// @param complaint what is wrong with the word, or nothing
  CommandOption check(std::string (*complaint)(const std::string& word)) const;
  /// A check that may put another word in place. The one that is added last is asked first.
  CommandOption transform(const WordCheck& check) const;
  CommandOption transform(std::string (*other)(const std::string& word)) const;
  /// A number of bytes may have a unit: 16KiB, 1MiB; k, m and g stand for powers of 1024, too.
  CommandOption take_unit() const;

  CommandOption group(const std::string& title) const;
  CommandOption capture_default_str() const;
  CommandOption default_str(const std::string& text) const;
  CommandOption type_name(const std::string& name) const;
  CommandOption option_text(const std::string& text) const;

  CommandOption required() const;
  CommandOption excludes(CommandOption other) const;
  CommandOption needs(CommandOption other) const;
  CommandOption delimiter(char character) const;
  CommandOption allow_extra_args(bool allow) const;

 private:
  CLI::Option* option_;
};

class CommandLine {
 public:
  /// @param exit_unwritten the exit code where --help was asked for and could not be written
  CommandLine(const std::string& name, const std::string& description, int exit_unwritten = 2);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Value: std::string, std::filesystem::path, a Number of in_range(), a std::optional of one, or
  /// a std::vector of words or numbers. What the linker misses is to be added in the .cpp.
  template <class Value>
  CommandOption add_option(const std::string& names, Value& value, const std::string& text);
  CommandOption add_option_function(const std::string& names,
                                    const std::function<void(const std::string& word)>& function,
                                    const std::string& text);
  /// An option whose words stand for values of an enumeration.
  template <class Enum>
  CommandOption add_choice(const std::string& names, Enum& value,
                           const std::vector<std::pair<std::string, Enum>>& choices,
                           const std::string& text) {
    std::vector<std::string> words;
    for (const auto& [word, meaning] : choices) words.push_back(word);
    const auto take = [&value, choices](const std::string& given) {
      for (const auto& [word, meaning] : choices) {
        if (word == given) value = meaning;
      }
    };
    return add_option_function(names, take, text).type_name("WORD").check(one_of(words));
  }
  /// "--name" makes it true, "!--name" false.
  CommandOption add_flag(const std::string& names, bool& value, const std::string& text);
  CommandOption add_flag_callback(const std::string& names, const std::function<void()>& function,
                                  const std::string& text);
  /// REQUIRES: it was added.
  CommandOption get_option(const std::string& name) const;

  void footer(const std::string& text);
  /// Where the text of an option begins in --help.
  void column_width(unsigned columns);

  /// Reads the words. Ends the program after --help (0, or exit_unwritten) and after wrong use (2):
  /// it says the program's name, an unknown word before a missing one, and what may be meant by it.
  /// Whole numbers are decimal, zeros in front mean nothing.
  void parse(int argc, const char* const* argv);
  /// @param words operands_as_written()
  void parse(std::vector<std::string> words);

  /// How often the option was given.
  std::size_t count(const std::string& name) const;

  /// Says what is wrong with an option, and ends the program with 2.
  [[noreturn]] void refuse(const std::string& option, const std::string& cause) const;

 private:
  template <class Parse>
  void parse_or_end(Parse parse) const;
  void take_decimal_numbers() const;

  std::unique_ptr<CLI::App> app_;
  int exit_unwritten_;
};

}  // namespace lab
