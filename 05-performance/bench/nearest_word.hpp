// What somebody may have meant by a word that is none of those there are. The lab script has the
// same in .scripts/nearest.awk.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab {

/// How many letters are to be put in, taken out or changed to make the one of the other.
inline std::size_t edits(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < other.size(); ++j) {
      const std::size_t changed = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// The nearest of `words`, the first of several; empty where more than a third of the letters would
/// have to be others.
inline std::string nearest_word(std::string_view word, std::span<const std::string> words) {
  std::string nearest;
  std::size_t fewest = (word.size() + 2) / 3 + 1;
  for (const std::string& candidate : words) {
    const std::size_t here = edits(word, candidate);
    if (here >= fewest) continue;
    fewest = here;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace lab
