// Who is told how far a build is, and what was left out.
#pragma once

#include <cstddef>
#include <string_view>

namespace lab {

/// Called in the thread that builds, for as long as it does. A null function tells nobody.
struct SiteReporter {
  /// What a build is at.
  enum class Step {
    reading,     ///< files into memory; counted in files
    compressing  ///< what pays; counted in files
  };

  /// After each file or so: a reporter that prints does not print each time.
  void (*progress)(void* context, Step step, std::size_t done, std::size_t total) = nullptr;
  /// A whole sentence.
  void (*note)(void* context, std::string_view text) = nullptr;
  void* context = nullptr;  ///< handed to both functions as it is

  /// Calls progress, if there is one.
  void tell_progress(Step step, std::size_t done, std::size_t total) const {
    if (progress != nullptr) progress(context, step, done, total);
  }
  /// Calls note, if there is one.
  void tell(std::string_view text) const {
    if (note != nullptr) note(context, text);
  }
};

}  // namespace lab
