#include "06-server/lib/site/site_watch.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "01-core/lib/check.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

// No IN_MODIFY: each write(2) of a large copy would be an event, and the close comes.
constexpr std::uint32_t in_folder = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                    IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                    IN_ONLYDIR;
constexpr std::uint32_t of_name = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;

bool has_hidden_segment(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (!is_public(path.substr(0, slash))) return true;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return false;
}

// Where its files lie, which a symlink may put into folders that are not served.
std::set<std::string> folders_of(const SourceTree& tree) {
  std::set<std::string> folders(tree.real_directories.begin(), tree.real_directories.end());
  for (const SourceFile& file : tree.files) {
    const std::size_t slash = file.real.rfind('/');
    folders.insert(slash == std::string::npos ? "" : file.real.substr(0, slash));
  }
  return folders;
}

}  // namespace

SiteWatch::SiteWatch(const std::string& root)
    : root_(root), inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_ && errno == EMFILE) {
    throw WatchError(
        "--watch: this user has as many inotify instances as it may. Cure: raise sysctl "
        "fs.inotify.max_user_instances, or reload with SIGHUP");
  }
  check_errno(inotify_.get(), "inotify_init1");
  renew();
}

void SiteWatch::watch_name() {
  std::string path = root_;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name_.empty() || name_ == "." || name_ == "..") return;
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  parent_ = add(parent, of_name);
}

void SiteWatch::renew() {
  watch_name();
  std::set<int> watches;
  try {
    watch_folders(watches);
  } catch (...) {
    folders_.merge(watches);
    throw;
  }
  for (const int watch : folders_) {
    if (!watches.contains(watch)) inotify_rm_watch(inotify_.get(), watch);  // it may be gone
  }
  folders_ = std::move(watches);
  // The root's name is in a folder of the site: all names in it count.
  if (folders_.contains(parent_)) parent_ = -1;
}

// A folder that is made while the watches are would be missed: until nothing is new.
void SiteWatch::watch_folders(std::set<int>& watches) {
  std::set<std::string> known;
  for (;;) {
    const SourceTree tree = walk_site(root_);
    hidden_counts_ = std::any_of(tree.files.begin(), tree.files.end(),
                                 [](const auto& file) { return has_hidden_segment(file.real); });
    bool all_known = true;
    for (const std::string& folder : folders_of(tree)) {
      if (!known.insert(folder).second) continue;
      all_known = false;
      const int watch = add(tree.root_path + "/" + folder, in_folder);
      if (watch >= 0) watches.insert(watch);
    }
    if (all_known) return;
  }
}

int SiteWatch::add(const std::string& path, std::uint32_t events) {
  const int watch = inotify_add_watch(inotify_.get(), path.c_str(), events);
  if (watch >= 0 || errno == ENOENT || errno == ENOTDIR) return watch;
  if (errno == ENOSPC) {
    throw WatchError(
        "--watch: the site has more folders than this user may watch. Cure: raise sysctl "
        "fs.inotify.max_user_watches, or reload with SIGHUP");
  }
  throw WatchError(
      fmt::format("--watch: '{}' cannot be watched: {}", shown(path), std::strerror(errno)));
}

bool SiteWatch::changed() {
  alignas(inotify_event) std::array<char, 16384> room;
  bool found = false;
  for (;;) {
    const ssize_t size = read(inotify_.get(), room.data(), room.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return found;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto* event = reinterpret_cast<const inotify_event*>(room.data() + at);
      at += sizeof *event + event->len;
      const std::string_view name = event->len == 0 ? std::string_view{} : event->name;
      if ((event->mask & IN_IGNORED) != 0) continue;  // its folder went, which was told
      // Events were lost (IN_Q_OVERFLOW): it has no watch and no name, and counts.
      if (event->wd == parent_ && parent_ != -1) {
        found = found || name == name_;
      } else {
        found = found || hidden_counts_ || is_public(name);
      }
    }
  }
}

}  // namespace lab
