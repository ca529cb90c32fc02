#include "06-server/lib/site/site_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

// Symlinks from folder to folder could make any number of names of a few files.
constexpr std::size_t names_max = 1'000'000;

struct FreeText {
  void operator()(char* text) const noexcept { std::free(text); }
};
struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

// Without symlinks; empty when there is no such file.
std::string canonical(const std::string& path) {
  const std::unique_ptr<char, FreeText> real(realpath(path.c_str(), nullptr));
  return real == nullptr ? std::string() : std::string(real.get());
}

std::string joined(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

class Walk {
 public:
  explicit Walk(SourceTree& tree)
      : tree_(tree), prefix_(tree.root_path == "/" ? "/" : tree.root_path + "/") {}

  void run() {
    add_folder("/", "", no_parent);
    for (std::size_t next = 0; next < folders_.size(); ++next) read_folder(next);
  }

 private:
  static constexpr std::size_t no_parent = SIZE_MAX;

  struct Folder {
    std::string path;  // with its slash at the end
    std::string real;
    std::size_t parent;
  };

  void add_folder(std::string path, std::string real, std::size_t parent) {
    tree_.directories.push_back(path);
    tree_.real_directories.push_back(real);
    folders_.push_back({std::move(path), std::move(real), parent});
    check_count();
  }

  void check_count() const {
    if (tree_.files.size() + folders_.size() <= names_max) return;
    throw SiteError(fmt::format(
        "the site has more than {} names. Cure: look for symlinks that multiply folders, or serve "
        "a part of it",
        names_max));
  }

  void read_folder(std::size_t index) {
    const std::string real = folders_[index].real;
    Fd fd = open_in_site(tree_.root.get(), real);
    if (!fd) return;  // it went away
    const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd.get()));
    if (directory == nullptr) {
      if (errno == ENOTDIR) return;
      throw SiteError(fmt::format("'{}' cannot be read: {}", shown(real), std::strerror(errno)));
    }
    fd.release();  // closed by closedir
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(directory.get());
      if (entry == nullptr) break;
      if (is_public(entry->d_name)) add(index, dirfd(directory.get()), entry->d_name);
    }
    if (errno != 0) {
      throw SiteError(fmt::format("'{}' cannot be read: {}", shown(real), std::strerror(errno)));
    }
  }

  void add(std::size_t folder, int fd, const std::string& name) {
    struct stat status {};
    if (fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      throw SiteError(
          fmt::format("'{}' cannot be looked at: {}", shown(name), std::strerror(errno)));
    }
    const std::string path = folders_[folder].path + name;
    std::string real = joined(folders_[folder].real, name);
    if (S_ISLNK(status.st_mode)) {
      if (!follow(path, real)) return;
      if (fstatat(tree_.root.get(), real.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    }
    if (S_ISDIR(status.st_mode)) {
      if (is_above(folder, real)) {
        note("'{}' leads back to a folder that it is in: not served", path);
      } else {
        add_folder(path + "/", std::move(real), folder);
      }
    } else if (S_ISREG(status.st_mode)) {
      tree_.files.push_back({.path = path, .real = std::move(real), .stamp = stamp_of(status)});
      check_count();
    } else {
      note("'{}' is no file (a pipe, a socket or a device): not served", path);
    }
  }

  /// @param real of the symlink; after it of its target
  /// @return false when that is not to be served
  bool follow(const std::string& path, std::string& real) {
    const std::string target = canonical(prefix_ + real);
    if (target.empty()) {
      note("'{}' is a symlink that leads nowhere: not served", path);
      return false;
    }
    if (target + "/" != prefix_ && !target.starts_with(prefix_)) {
      note("'{}' is a symlink out of the folder: not served", path);
      return false;
    }
    real = target.size() < prefix_.size() ? "" : target.substr(prefix_.size());
    return true;
  }

  // True when the folder, or one that led to it, is `real`.
  bool is_above(std::size_t folder, const std::string& real) const {
    for (; folder != no_parent; folder = folders_[folder].parent) {
      if (folders_[folder].real == real) return true;
    }
    return false;
  }

  void note(const char* what, const std::string& path) {
    tree_.notes.push_back(fmt::format(fmt::runtime(what), shown(path)));
  }

  SourceTree& tree_;
  std::string prefix_;  // the root with a slash at the end
  std::vector<Folder> folders_;
};

[[noreturn]] void refuse_root(const std::string& root, int error) {
  const std::string name = shown(root);
  switch (error) {
    case ENOENT:
      throw SiteError(fmt::format(
          "there is no folder '{}'. Cure: name the folder whose files are to be served", name));
    case ENOTDIR:
      throw SiteError(
          fmt::format("'{}' is no folder. Cure: name the folder that the file is in", name));
    case EACCES:
      throw SiteError(fmt::format(
          "the folder '{}' cannot be read: {}. Cure: let the server's user read it and what it is "
          "in (chmod o+rx)",
          name, std::strerror(error)));
    default:
      throw SiteError(
          fmt::format("the folder '{}' cannot be opened: {}", name, std::strerror(error)));
  }
}

}  // namespace

bool is_public(std::string_view segment) {
  return !segment.starts_with('.') || segment == ".well-known";
}

SourceTree walk_site(const std::string& root) {
  SourceTree tree;
  errno = 0;
  tree.root_path = canonical(root);
  if (tree.root_path.empty()) refuse_root(root, errno);
  tree.root = Fd(open(tree.root_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!tree.root) refuse_root(root, errno);
  Walk(tree).run();
  std::sort(tree.files.begin(), tree.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return tree;
}

}  // namespace lab
