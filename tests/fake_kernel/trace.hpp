// What happened in a seed, and what is said when an oracle finds fault: the seed, the oracle, the
// latest events and the command that repeats it.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace lab::fake {

class Trace {
 public:
  void begin(std::uint64_t seed, bool verbose) noexcept {
    seed_ = seed;
    verbose_ = verbose;
    lines_ = 0;
  }
  void describe(std::string scenario) { scenario_ = std::move(scenario); }
  void set_now(std::uint64_t now_ns) noexcept { now_ns_ = now_ns; }

  template <class... Arguments>
  void note(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    Line& line = tail_[lines_++ % tail_.size()];
    line.now_ns = now_ns_;
    const auto end = fmt::format_to_n(line.text.data(), line.text.size() - 1, format,
                                      std::forward<Arguments>(arguments)...);
    *end.out = '\0';
    if (verbose_) print(line);
  }

  /// An oracle found fault: prints the report and ends the process, for a ring with operations in
  /// flight cannot be taken apart.
  template <class... Arguments>
  [[noreturn]] void fail(const char* oracle, fmt::format_string<Arguments...> format,
                         Arguments&&... arguments) {
    report(oracle, fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  /// Takes stderr away from the server, which reports each connection that it sheds, and catches
  /// SIGABRT, so that an assertion of the server gets a report with its seed like any other fault.
  void catch_stderr();

  [[noreturn]] void report(const std::string& oracle, const std::string& what);

  /// What the server said on stderr since the seed began, the latest part.
  std::string stderr_tail() const;
  void forget_stderr() const;

  void set_program(std::string name) { program_ = std::move(name); }

 private:
  struct Line {
    std::uint64_t now_ns;
    std::array<char, 120> text;
  };

  static void print(const Line& line) {
    fmt::print("{:>12.6f}  {}\n", static_cast<double>(line.now_ns) / 1e9, line.text.data());
  }

  std::string program_;
  std::string scenario_;
  std::uint64_t seed_ = 0;
  std::uint64_t now_ns_ = 0;
  bool verbose_ = false;
  int stderr_copy_ = -1;
  std::size_t lines_ = 0;
  std::array<Line, 100> tail_;
};

}  // namespace lab::fake
