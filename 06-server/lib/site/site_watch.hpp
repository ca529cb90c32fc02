// Tells when a site may have changed: inotify(7) on its folders, and on the name of its root, which
// may be a symlink that is swapped.
//
// For each build there is a new watch, made before the build looks at the folder: what changes
// while it builds is seen by the watch, and what changed before by the build.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"

namespace lab {

class SiteWatch {
 public:
  /// A symlink on the way to the root, other than the root itself, is not watched.
  /// @throws SiteError when the folder cannot be read, or the kernel's limit of watches is too low
  explicit SiteWatch(const std::string& root);

  /// Readable when something happened.
  int fd() const noexcept { return inotify_.get(); }
  /// Takes what happened. Never waits.
  /// @return true when a build would find another site, as far as one can tell: the swap file of an
  /// editor does not count
  bool changed();

 private:
  int add(const std::string& path, std::uint32_t events);
  void watch_name(const std::string& root);

  Fd inotify_;
  int parent_ = -1;   // the watch of the folder that the root is in
  std::string name_;  // and its name there
  // A symlink leads through a name that begins with a dot: such names count.
  bool hidden_counts_ = false;
};

/// When to build again after a change: when nothing changed for a while, since a deployment is many
/// changes, and at the latest some time after the first, since some sites never rest.
class ReloadPause {
 public:
  static constexpr std::uint64_t quiet_ms = 200;
  static constexpr std::uint64_t longest_ms = 2000;

  void on_change(std::uint64_t now_ms) noexcept {
    if (!waits_) first_ms_ = now_ms;
    waits_ = true;
    last_ms_ = now_ms;
  }
  bool due(std::uint64_t now_ms) const noexcept {
    return waits_ && (now_ms - last_ms_ >= quiet_ms || now_ms - first_ms_ >= longest_ms);
  }
  /// A build has begun: it sees all changes until now.
  void on_build() noexcept { waits_ = false; }

 private:
  bool waits_ = false;
  std::uint64_t first_ms_ = 0;
  std::uint64_t last_ms_ = 0;
};

}  // namespace lab
