// A build in a process of its own: whoever serves goes on serving, and whatever goes wrong, memory
// that runs out too, ends the child alone.
#pragma once

#include <sys/types.h>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/site/generation.hpp"
#include "06-server/lib/site/site_options.hpp"
#include "06-server/lib/site/site_reporter.hpp"

namespace lab {

/// @code
///   SiteBuild build(options, reporter, &generation);
///   ... fd() is readable ...
///   auto next = std::make_unique<Generation>(build.finish());   // or why not, and all stays
/// @endcode
class SiteBuild {
 public:
  /// Forks. REQUIRES a process with a single thread.
  /// @param reporter is called in the child: it may print, and change nothing here
  /// @param before as for build_site()
  /// @throws std::system_error
  SiteBuild(const SiteOptions& options, const SiteReporter& reporter, const Generation* before);
  /// Ends the child if it is still at it.
  ~SiteBuild();
  SiteBuild(const SiteBuild&) = delete;
  SiteBuild& operator=(const SiteBuild&) = delete;

  /// Readable when it is over, one way or the other.
  int fd() const noexcept { return outcome_.get(); }
  /// Waits for the end. Once.
  /// @throws SiteError with what the child has to say, or how it ended
  SiteFiles finish();

 private:
  int wait() noexcept;

  Fd outcome_;
  pid_t pid_ = -1;
};

}  // namespace lab
