// The progress of a build in lines: nothing of a small site, a line a second of a large one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "06-server/lib/site/site_reporter.hpp"

namespace lab {

/// Writes to standard error, each line in one piece.
/// @code
///   SiteProgress progress("http-server");
///   build_site(options, progress.reporter());
/// @endcode
/// Lifetime: outlives the build.
class SiteProgress {
 public:
  /// @param program begins each line
  explicit SiteProgress(std::string program);

  /// Who tells this object. It outlives the build.
  SiteReporter reporter() noexcept;
  /// @return nothing when the last line, or the beginning, was less than a second ago
  std::string line(SiteReporter::Step step, std::size_t done, std::size_t total,
                   std::uint64_t now_ms);

 private:
  std::string program_;
  std::uint64_t last_ms_;
};

}  // namespace lab
