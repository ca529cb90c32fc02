// Runs a program to its end and says what it cost, in the same way for everybody: wait4(2).
#pragma once

#include <string>
#include <vector>

namespace lab {

struct ProgramCost {
  std::string output;  ///< what it printed on stdout
  double cpu_s = 0;    ///< user and system time of all its threads and children
};

/// @param words the program, looked for in PATH, and its arguments
/// @param cpu the only processor that it may use; below 0: any
/// @throws std::runtime_error when it ends with anything but 0, with what it said on stderr
ProgramCost run_measured(const std::vector<std::string>& words, int cpu);

}  // namespace lab
