// Where the server's site comes from: built at the start, and again on SIGHUP or when the folder
// changes. In the supervisor's process; workers inherit what is current, or get it as a parcel.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "06-server/lib/process/reload.hpp"
#include "06-server/lib/site/generation.hpp"
#include "06-server/lib/site/site_build.hpp"
#include "06-server/lib/site/site_options.hpp"
#include "06-server/lib/site/site_progress.hpp"
#include "06-server/lib/site/site_watch.hpp"

namespace lab {

class SiteSource {
 public:
  /// @param watches the folder: what changes in it is a reason to build again
  /// @param descriptors gets those that workers keep
  /// @throws SiteError, std::system_error, std::bad_alloc
  SiteSource(const SiteOptions& options, bool watches, std::vector<int>& descriptors);
  SiteSource(const SiteSource&) = delete;
  SiteSource& operator=(const SiteSource&) = delete;

  /// A generation for a worker that was just forked: it has the mapping and the descriptors.
  std::unique_ptr<Generation> take() noexcept { return std::move(current_); }
  /// The same for one of several in a process: the memory is there once, the tables for each.
  /// @throws std::system_error
  std::unique_ptr<Generation> copy() const;
  /// "12 files of DIR, 0.2 MB in memory"
  std::string describe() const;
  /// A path that is answered with a file, as one types it behind `curl`; "/" where that is one.
  std::string example_path() const;
  Reload reload() noexcept;

 private:
  int begin();
  void make_current(SiteFiles files);

  const SiteOptions options_;
  std::vector<int>& descriptors_;
  SiteProgress progress_{"http-server"};
  std::optional<SiteWatch> watch_;
  std::unique_ptr<Generation> current_;
  std::optional<SiteBuild> build_;
};

}  // namespace lab
