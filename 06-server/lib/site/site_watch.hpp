// Tells when a site may have changed: inotify(7) on its folders, and on the name of its root, which
// may be a symlink that is swapped.
//
// It is made before the first build, and renewed before each later one looks at the folder: what
// changes while that builds is seen by the watch, and what changed before by the build.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_walk.hpp"

namespace lab {

/// The kernel does not watch all that is asked for; the text has the cure.
class WatchError : public SiteError {
 public:
  using SiteError::SiteError;
};

/// The watches on one site's folders. Source: inotify(7).
class SiteWatch {
 public:
  /// A symlink on the way to the root, other than the root itself, is not watched.
  /// @throws WatchError, and SiteError when the folder cannot be read
  explicit SiteWatch(const std::string& root);

  /// Follows the root to where it leads now: folders that are new are watched, and those that are
  /// the site's no longer are not.
  /// @throws as the constructor; what is watched stays so
  void renew();

  /// Readable when something happened.
  int fd() const noexcept { return inotify_.get(); }
  /// Takes what happened. Never waits.
  /// @return true when a build would find another site, as far as one can tell: the swap file of an
  /// editor does not count
  bool changed();

 private:
  int add(const std::string& path, std::uint32_t events);
  void watch_name();
  void watch_folders(std::set<int>& watches);

  const std::string root_;
  Fd inotify_;
  std::set<int> folders_;  // the watches of the site's own folders
  int parent_ = -1;        // the watch of the folder that the root is in
  std::string name_;       // and its name there
  // A symlink leads through a name that begins with a dot: such names count.
  bool hidden_counts_ = false;
};

}  // namespace lab
