// Runs ringload to its end and keeps what it said.
#pragma once

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

/// ringload 127.0.0.1 PORT words...
Ended ringload(const std::string& port, const std::vector<std::string>& words);
/// ringload words...
Ended ringload(const std::vector<std::string>& words);

}  // namespace lab
