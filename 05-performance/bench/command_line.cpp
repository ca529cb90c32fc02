#include "05-performance/bench/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <type_traits>
#include <utility>

#include "05-performance/bench/nearest_word.hpp"
#include "05-performance/bench/say.hpp"

namespace lab {

namespace {

constexpr int exit_wrong_use = 2;
CLI::Validator validator(const WordCheck& check) { return {check.complaint, check.shown}; }

// For a word behind an option that takes one: "--to A B".
std::string again_for_each(const CLI::App& app) {
  for (const std::string& word : app.remaining()) {
    if (word.starts_with("-")) return {};
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 ||
        option->get_items_expected_max() < CLI::detail::expected_max_vector_size ||
        option->get_allow_extra_args()) {
      continue;
    }
    return fmt::format(". Cure: {} again, in front of each", option->get_name());
  }
  return {};
}

// For the first word that looks like an option and is none: the nearest that is in --help.
std::string did_you_mean(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  const auto wrong = std::ranges::find_if(
      words, [](const std::string& word) { return word.size() > 2 && word.starts_with("--"); });
  if (wrong == words.end()) return {};
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::string meant = nearest_word(wrong->substr(0, wrong->find('=')), names);
  return meant.empty() ? "" : fmt::format(". Did you mean {}?", meant);
}

std::string not_decimal(std::string& text) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() == sign ||
      !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(sign), text.end(), is_digit)) {
    return fmt::format("'{}' is no decimal number", text);
  }
  const std::size_t first = std::min(text.find_first_not_of('0', sign), text.size() - 1);
  text.erase(sign, first - sign);
  return {};
}

}  // namespace

// CLI::Range lets "nan" pass, for it is neither too small nor too large, and takes
// "-18446744073709551615" for 1.
template <class Number>
WordCheck in_range(Number low, Number high) {
  return {[low, high](std::string& text) -> std::string {
            Number value{};
            const bool wraps = std::is_unsigned_v<Number> && text.starts_with('-');
            const bool read = !wraps && CLI::detail::lexical_cast(text, value);
            if (read && value >= low && value <= high) return {};
            return fmt::format("{} is not between {} and {}", text, low, high);
          },
          fmt::format("{} to {}", low, high)};
}

template WordCheck in_range(int, int);
template WordCheck in_range(unsigned, unsigned);
template WordCheck in_range(std::uint16_t, std::uint16_t);
template WordCheck in_range(std::uint64_t, std::uint64_t);
template WordCheck in_range(double, double);

WordCheck one_of(const std::vector<std::string>& words) {
  std::string names;
  for (const std::string& word : words) names += (names.empty() ? "" : ",") + word;
  return {[words, names](std::string& word) -> std::string {
            if (std::ranges::find(words, word) != words.end()) return {};
            return fmt::format("'{}' is none of {}", word, names);
          },
          "{" + names + "}"};
}

WordCheck not_empty() {
  return {[](std::string& word) -> std::string {
            return word.empty() ? "'' is no name (is a variable not set?)" : "";
          },
          ""};
}

WordCheck existing_file() {
  return {[](std::string& word) { return CLI::ExistingFile(word); }, "FILE"};
}

CommandOption CommandOption::check(const WordCheck& check) const {
  option_->check(validator(check));
  return *this;
}

CommandOption CommandOption::check(std::string (*complaint)(const std::string&)) const {
  option_->check(complaint);
  return *this;
}

CommandOption CommandOption::transform(const WordCheck& check) const {
  option_->transform(validator(check));
  return *this;
}

CommandOption CommandOption::transform(std::string (*other)(const std::string&)) const {
  option_->transform(other);
  return *this;
}

CommandOption CommandOption::take_unit() const {
  option_->transform(CLI::AsSizeValue(false));
  return *this;
}

CommandOption CommandOption::group(const std::string& title) const {
  option_->group(title);
  return *this;
}

CommandOption CommandOption::capture_default_str() const {
  option_->capture_default_str();
  return *this;
}

CommandOption CommandOption::default_str(const std::string& text) const {
  option_->default_str(text);
  return *this;
}

CommandOption CommandOption::type_name(const std::string& name) const {
  option_->type_name(name);
  return *this;
}

CommandOption CommandOption::option_text(const std::string& text) const {
  option_->option_text(text);
  return *this;
}

CommandOption CommandOption::required() const {
  option_->required();
  return *this;
}

CommandOption CommandOption::excludes(CommandOption other) const {
  option_->excludes(other.option_);
  return *this;
}

CommandOption CommandOption::needs(CommandOption other) const {
  option_->needs(other.option_);
  return *this;
}

CommandOption CommandOption::delimiter(char character) const {
  option_->delimiter(character);
  return *this;
}

CommandOption CommandOption::allow_extra_args(bool allow) const {
  option_->allow_extra_args(allow);
  return *this;
}

CommandLine::CommandLine(const std::string& name, const std::string& description,
                         int exit_unwritten)
    : app_(std::make_unique<CLI::App>(description, name)), exit_unwritten_(exit_unwritten) {
  app_->set_version_flag("--version", fmt::format("{} {} (io_uring lab)", name, LAB_VERSION));
  app_->failure_message([](const CLI::App* app, const CLI::Error& error) {
    const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    return fmt::format("{0}: {1}{2}\nRun {0} --help for more information.\n", app->get_name(),
                       error.what(), unknown ? did_you_mean(*app) + again_for_each(*app) : "");
  });
}

CommandLine::~CommandLine() = default;

template <class Value>
CommandOption CommandLine::add_option(const std::string& names, Value& value,
                                      const std::string& text) {
  return CommandOption(*app_->add_option(names, value, text));
}

template CommandOption CommandLine::add_option(const std::string&, std::string&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::filesystem::path&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, int&, const std::string&);
template CommandOption CommandLine::add_option(const std::string&, unsigned&, const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::uint16_t&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::uint64_t&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, double&, const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::optional<int>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::optional<unsigned>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::optional<std::uint16_t>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::optional<std::uint64_t>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::optional<double>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::vector<std::string>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::vector<int>&,
                                               const std::string&);
template CommandOption CommandLine::add_option(const std::string&, std::vector<unsigned>&,
                                               const std::string&);

CommandOption CommandLine::add_option_function(
    const std::string& names, const std::function<void(const std::string&)>& function,
    const std::string& text) {
  return CommandOption(*app_->add_option_function<std::string>(names, function, text));
}

CommandOption CommandLine::add_flag(const std::string& names, bool& value,
                                    const std::string& text) {
  return CommandOption(*app_->add_flag(names, value, text));
}

CommandOption CommandLine::add_flag_callback(const std::string& names,
                                             const std::function<void()>& function,
                                             const std::string& text) {
  return CommandOption(*app_->add_flag_callback(names, function, text));
}

CommandOption CommandLine::get_option(const std::string& name) const {
  return CommandOption(*app_->get_option(name));
}

void CommandLine::footer(const std::string& text) { app_->footer(text); }

void CommandLine::column_width(unsigned columns) { app_->get_formatter()->column_width(columns); }

// CLI11 reads whole numbers as C++ does: 010 is 8, 0x10 is 16. A person who writes 010 means ten.
void CommandLine::take_decimal_numbers() const {
  for (CLI::Option* option : app_->get_options()) {
    const std::string type = option->get_type_name();
    const bool has_unit = type.find(":SIZE") != std::string::npos;
    // transform() puts it in front of the option's other checks.
    if (!has_unit && (type.starts_with("UINT") || type.starts_with("INT"))) {
      option->transform(CLI::Validator(not_decimal, ""));
    }
  }
}

template <class Parse>
void CommandLine::parse_or_end(Parse parse) const {
  take_decimal_numbers();
  try {
    parse();
  } catch (const CLI::RequiredError& error) {
    // Who writes --nope for an option does not ask what is missing.
    if (app_->remaining_size() == 0) app_->exit(error);
    if (app_->remaining_size() != 0) app_->exit(CLI::ExtrasError(app_->remaining()));
    std::exit(exit_wrong_use);
  } catch (const CLI::ParseError& error) {
    if (app_->exit(error) != 0) std::exit(exit_wrong_use);
    std::exit(output_written(app_->get_name().c_str()) ? 0 : exit_unwritten_);
  }
}

void CommandLine::parse(int argc, const char* const* argv) {
  parse_or_end([&] { app_->parse(argc, argv); });
}

void CommandLine::parse(std::vector<std::string> words) {
  parse_or_end([&] { app_->parse(std::move(words)); });
}

std::size_t CommandLine::count(const std::string& name) const { return app_->count(name); }

void CommandLine::refuse(const std::string& option, const std::string& cause) const {
  app_->exit(CLI::ValidationError(option, cause));
  std::exit(exit_wrong_use);
}

}  // namespace lab
