// Runs ringload to its end and keeps what it said.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lab {

struct Ended {
  int exit = -1;  ///< 128 + signal when a signal ended it
  std::string output;
  std::string errors;

  /// Both, for messages.
  std::string all() const { return output + errors; }
  /// A number of the JSON on stdout: the first field of that name.
  double number(const std::string& name) const;
};

/// How it is run, where that is not as usual.
struct Circumstances {
  std::function<bool()> interrupt_when = {};  ///< SIGINT as soon as this is true; asked often
  const char* output = nullptr;               ///< a file in place of stdout
  const char* errors = nullptr;               ///< a file in place of stderr
  bool output_closed = false;
  std::uint64_t memory_max = 0;  ///< bytes of address space; 0: as much as there is
};

/// ringload 127.0.0.1 PORT words...
Ended ringload(const std::string& port, const std::vector<std::string>& words,
               const Circumstances& with = {});
/// ringload words...
Ended ringload(const std::vector<std::string>& words, const Circumstances& with = {});

}  // namespace lab
