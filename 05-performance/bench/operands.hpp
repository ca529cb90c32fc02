// The command line as the user wrote it.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace lab {

/// The arguments for CommandLine::parse(), the last one first, as CLI11 takes them. CLI11 reads
/// "[a,b]" as a list, "[[aa]]" as an escaped "[a]" and "{}" as nothing: where, and how it is
/// switched off, differs from version to version. All three are names of files, too; "./" before
/// them leaves the file the same and CLI11 sees no list. REQUIRES: no option of the program takes
/// such a value.
inline std::vector<std::string> operands_as_written(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  for (std::string& word : words) {
    if (word.starts_with('[') || word.starts_with('{')) word.insert(0, "./");
  }
  std::ranges::reverse(words);
  return words;
}

}  // namespace lab
