// cp on io_uring: one file as a pipeline of blocks, a folder's small files as chains.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/standard_fds.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/operands.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/files/copy_file.hpp"
#include "05-performance/files/copy_small.hpp"
#include "05-performance/files/folder.hpp"
#include "05-performance/files/page_cache.hpp"
#include "05-performance/lib/ring_preset.hpp"

namespace lab {

namespace {

namespace files = std::filesystem;

/// What is larger is copied by itself, as blocks.
constexpr std::size_t small_limit = std::size_t{128} * 1024;

struct CpOptions {
  files::path from;
  files::path to;
  bool recursive = false;
  bool buffered = false;
  // Larger blocks are fewer trips to the worker; these were the best of those tried (README).
  unsigned blocks = 8;
  unsigned block_kib = 256;
  unsigned chains = 16;
  unsigned workers = 4;
};

class Cp {
 public:
  explicit Cp(const CpOptions& options);

  /// Copies everything that it can.
  /// @return false when something was left out; it was named on stderr
  bool run();

 private:
  void copy_tree(const files::path& from, Fd into, const Name& to);
  void copy_folder(const files::path& below, Fd parent, const Name& to);
  Fd make_folder(const Name& to, mode_t mode, FileId source, bool& made);
  std::vector<std::string> copy_content(const Fd& from, const Fd& to, const files::path& below,
                                        bool made);
  void copy_one(const Name& from, const Name& to, mode_t mode);
  Fd open_target(const Name& to, mode_t mode, FileId source);
  void copy_link(const Name& from, const Name& to);
  void fail(const files::path& path, const std::string& cause);
  std::span<std::byte> memory(std::size_t pieces, std::size_t size) const {
    return memory_.memory().first(pieces * size);
  }

  const CpOptions options_;
  const std::size_t block_size_ = std::size_t{options_.block_kib} * 1024;
  const std::size_t chains_ = options_.recursive ? options_.chains : 0;
  // The chain of a small file is 4 operations and 2 slots.
  Ring ring_{RingPreset::file_io(
      {.depth = std::max(options_.blocks, static_cast<unsigned>(4 * chains_))})};
  // Large and small files are never copied at the same time: they share it.
  HugeArena memory_{std::max(options_.blocks * block_size_, chains_* small_limit)};
  CopyFile large_{ring_, memory(options_.blocks, block_size_), block_size_};
  std::optional<FileTable> table_;
  std::optional<CopySmall> small_;
  // What is below the two is reached from here (open_folder_below): only they and two more folders
  // are open, however deep the tree is.
  Fd from_root_;
  Fd to_root_;
  files::path to_shown_;
  // Every folder that is copied into. A source among them would be copied into itself.
  std::set<FileId> targets_;
  bool complete_ = true;
};

Cp::Cp(const CpOptions& options) : options_(options) {
  unsigned workers[2] = {options_.workers, options_.workers};
  check(io_uring_register_iowq_max_workers(ring_.raw(), workers),
        "setting the number of worker threads");
  if (chains_ == 0) return;
  table_.emplace(ring_, static_cast<unsigned>(2 * chains_));
  small_.emplace(ring_, *table_, memory(chains_, small_limit), small_limit);
}

/// The last name of a path as cp understands it: none for "..", "." and "/", whose content is
/// meant.
files::path name_of(const files::path& path) {
  const files::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  return name == "." || name == ".." ? files::path() : name;
}

/// The folder that a path's last name is in, however many slashes follow it.
files::path parent_of(const files::path& path) {
  const files::path bare = path.has_filename() ? path : path.parent_path();
  return bare.has_parent_path() ? bare.parent_path() : ".";
}

/// Network file systems may tell of a failed write only at close(2), which nobody calls for a
/// direct descriptor.
bool writes_at_close(const Fd& folder) {
  constexpr std::array<std::uint32_t, 7> remote = {
      NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC,
      FUSE_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC};
  struct statfs status {};
  if (fstatfs(folder.get(), &status) != 0) return true;
  return std::ranges::find(remote, static_cast<std::uint32_t>(status.f_type)) != remote.end();
}

bool Cp::run() {
  const files::path& from = options_.from;
  struct stat status {};
  if ((options_.recursive ? lstat : stat)(from.c_str(), &status) != 0) {
    fail(from, std::strerror(errno));
    return false;
  }
  // A folder takes the copy under the name of its source; without one, it takes the content.
  Fd into(open(options_.to.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Name to{.name = options_.to, .shown = options_.to, .follow = true};
  if (into) {
    const files::path name = name_of(from);
    to.folder = into.get();
    to.name = name.empty() ? "." : name;
    if (!name.empty()) to.shown /= name;
  }
  const Name source{.name = from, .shown = from, .follow = !options_.recursive};
  if (S_ISREG(status.st_mode)) {
    copy_one(source, to, status.st_mode);
  } else if (S_ISLNK(status.st_mode)) {
    copy_link(source, to);
  } else if (!S_ISDIR(status.st_mode)) {
    fail(from, "is neither a file nor a folder");
  } else if (!options_.recursive) {
    fail(from, "is a folder; --recursive copies it with what is in it");
  } else {
    copy_tree(from, std::move(into), to);
  }
  return complete_;
}

void Cp::copy_tree(const files::path& from, Fd into, const Name& to) {
  from_root_ = Fd(open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!from_root_ || fstat(from_root_.get(), &status) != 0) {
    return fail(from, std::strerror(errno));
  }
  Fd above = into ? open_folder_below(into, {}, O_PATH)
                  : Fd(open(parent_of(to.name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (lies_in(std::move(above), id_of(status))) {
    return fail(to.shown, "lies in the folder that it would be copied from");
  }
  to_shown_ = to.shown;
  copy_folder({}, std::move(into), to);
}

// Folder by folder: the small files of one are in flight together, the others follow one by one.
void Cp::copy_folder(const files::path& below, Fd parent, const Name& to) {
  const files::path shown = below.empty() ? options_.from : options_.from / below;
  Fd from = open_folder_below(from_root_, below, O_RDONLY);
  struct stat folder {};
  if (!from || fstat(from.get(), &folder) != 0) return fail(shown, std::strerror(errno));
  if (targets_.contains(id_of(folder))) {
    return fail(shown, "is a folder that is copied into, and would be copied into itself");
  }
  bool made = false;
  Fd target = make_folder(to, folder.st_mode, id_of(folder), made);
  if (!target) return;
  if (below.empty()) to_root_ = open_folder_below(target, {}, O_PATH);
  parent.reset();
  const std::vector<std::string> inner = copy_content(from, target, below, made);
  from.reset();
  target.reset();
  for (const std::string& name : inner) {
    parent = open_folder_below(to_root_, below, O_PATH);
    if (!parent) return fail(to.shown, std::strerror(errno));
    const int folder_fd = parent.get();
    copy_folder(below / name, std::move(parent),
                {.folder = folder_fd, .name = name, .shown = to.shown / name});
  }
  // Only now, for a folder that is closed to its owner takes no files.
  if (!made || (folder.st_mode & S_IRWXU) == S_IRWXU) return;
  target = open_folder_below(to_root_, below, O_PATH);
  struct stat status {};
  if (fstat(target.get(), &status) != 0 ||
      fchmodat(target.get(), ".", status.st_mode & 07777 & ~(S_IRWXU & ~folder.st_mode), 0) != 0) {
    fail(to.shown, std::strerror(errno));
  }
}

// That something is there already is a question: what is it?
Fd Cp::make_folder(const Name& to, mode_t mode, FileId source, bool& made) {
  made = mkdirat(to.folder, to.name.c_str(), (mode & (0777 | S_ISVTX)) | S_IRWXU) == 0;
  if (!made && errno != EEXIST) {
    fail(to.shown, std::strerror(errno));
    return {};
  }
  Fd folder(openat(to.folder, to.name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!folder && errno == ENOTDIR) {
    fail(to.shown,
         "is no folder, and a folder does not take its place. Cure: remove it, or give another "
         "name");
  } else if (!folder || fstat(folder.get(), &status) != 0) {
    fail(to.shown, std::strerror(errno));
  } else if (id_of(status) == source) {
    fail(to.shown, "is the folder that it would be copied from");
  } else {
    targets_.insert(id_of(status));
    return folder;
  }
  return {};
}

/// @return the names of the folders in it, which come next
std::vector<std::string> Cp::copy_content(const Fd& from, const Fd& to, const files::path& below,
                                          bool made) {
  std::vector<SmallFile> small;
  std::vector<SmallFile> large;
  std::vector<std::string> folders;
  const files::path from_shown = options_.from / below;
  const files::path to_shown = to_shown_ / below;
  const auto source_of = [&](const std::string& name) {
    return Name{.folder = from.get(), .name = name, .shown = from_shown / name};
  };
  const auto target_of = [&](const std::string& name) {
    return Name{.folder = to.get(), .name = name, .shown = to_shown / name};
  };
  const bool by_close = writes_at_close(to);
  int error = 0;
  for (std::string& name : names_in(from, error)) {
    struct stat status {};
    struct stat old {};
    // Not OP_STATX, which always goes to a worker: the answer is in memory already.
    if (fstatat(from.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      fail(from_shown / name, std::strerror(errno));
    } else if (S_ISREG(status.st_mode)) {
      const auto size = static_cast<std::size_t>(status.st_size);
      // A chain empties an old file unseen, so it is looked at before. And files of /proc say that
      // they are empty.
      const bool there = !made && fstatat(to.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
      const bool by_chain = size > 0 && size <= small_limit && !by_close &&
                            (!there || (S_ISREG(old.st_mode) && id_of(old) != id_of(status)));
      (by_chain ? small : large).push_back({std::move(name), status.st_mode & 0777, size, there});
    } else if (S_ISDIR(status.st_mode)) {
      folders.push_back(std::move(name));
    } else if (S_ISLNK(status.st_mode)) {
      copy_link(source_of(name), target_of(name));
    } else {
      fail(from_shown / name, "is neither a file nor a folder nor a link");
    }
  }
  if (error != 0) fail(from_shown, std::strerror(error));
  for (const auto& [file, failure] : small_->run(from, to, small)) {
    if (failure.error == 0) {
      large.push_back(*file);
    } else {
      fail((failure.at_source ? from_shown : to_shown) / file->name,
           fmt::format("{}: {}", failure.what, std::strerror(-failure.error)));
    }
  }
  for (const SmallFile& file : large) {
    copy_one(source_of(file.name), target_of(file.name), file.mode);
  }
  return folders;
}

void Cp::copy_one(const Name& from, const Name& to, mode_t mode) {
  const int flags = O_RDONLY | O_CLOEXEC | (from.follow ? 0 : O_NOFOLLOW);
  const Fd source(openat(from.folder, from.name.c_str(), flags));
  struct stat status {};
  if (!source || fstat(source.get(), &status) != 0) return fail(from.shown, std::strerror(errno));
  Fd target = open_target(to, mode, id_of(status));
  if (!target) return;
  FileError error;
  if (!has_offsets(status)) {
    error = large_.run_in_order(source, target);
  } else {
    posix_fadvise(source.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    // What is not in the page cache need not go there on its way: one copy less. Not every file
    // system can (then there is no descriptor), and the name may be another file's by now.
    const bool cold = !options_.buffered && cached_share(source) < 0.5;
    Fd direct(cold ? openat(from.folder, from.name.c_str(), flags | O_DIRECT) : -1);
    struct stat again {};
    if (direct && (fstat(direct.get(), &again) != 0 || id_of(again) != id_of(status))) {
      direct.reset();
    }
    error = large_.run(source, target, direct);
  }
  // Some file systems tell of a full disk only here.
  if (close(target.release()) != 0) error.note("closing", -errno);
  if (error.error != 0) {
    fail(error.at_source ? from.shown : to.shown,
         fmt::format("{}: {}", error.what, std::strerror(-error.error)));
  }
}

// A new file, or an old one that was emptied. The owner is not kept, so no bits are that give the
// owner's rights: a copy of somebody's setuid program would run with ours.
Fd Cp::open_target(const Name& to, mode_t mode, FileId source) {
  Fd target(
      openat(to.folder, to.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777));
  if (target) return target;
  const auto refuse = [&](const char* cause) {
    fail(to.shown, cause);
    return Fd();
  };
  if (errno == EISDIR) {  // open(2) with O_CREAT, of a new name with a slash behind it
    return refuse("there is no such folder. Cure: make it, or leave the slash away");
  }
  if (errno != EEXIST) return refuse(std::strerror(errno));
  struct stat there {};
  if (fstatat(to.folder, to.name.c_str(), &there, to.follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
    return refuse(errno == ENOENT ? "is a link to nothing, and no file is made through it. "
                                    "Cure: remove it"
                                  : std::strerror(errno));
  }
  const char* same = "is the file that it would be copied from";
  if (id_of(there) == source) return refuse(same);
  if (S_ISLNK(there.st_mode)) {
    return refuse("is a link, and in a folder's copy none is followed. Cure: remove it");
  }
  if (S_ISDIR(there.st_mode)) return refuse(std::strerror(EISDIR));
  if (!S_ISREG(there.st_mode) && !S_ISBLK(there.st_mode)) {
    return refuse("is a pipe or a device, and blocks are not written in order. ring-cat does");
  }
  target =
      Fd(openat(to.folder, to.name.c_str(), O_WRONLY | O_CLOEXEC | (to.follow ? 0 : O_NOFOLLOW)));
  // Not with O_TRUNC: should it be the source by now, that would empty it.
  if (!target || fstat(target.get(), &there) != 0) return refuse(std::strerror(errno));
  if (id_of(there) == source) return refuse(same);
  if (S_ISREG(there.st_mode) && ftruncate(target.get(), 0) != 0) {
    return refuse(std::strerror(errno));
  }
  return target;
}

// As cp: what is in the way and is no folder is replaced, but neither the link itself nor the file
// that it names.
void Cp::copy_link(const Name& from, const Name& to) {
  std::string text(PATH_MAX, '\0');
  const ssize_t size = readlinkat(from.folder, from.name.c_str(), text.data(), text.size());
  if (size < 0) return fail(from.shown, std::strerror(errno));
  text.resize(static_cast<std::size_t>(size));
  const auto make = [&] { return symlinkat(text.c_str(), to.folder, to.name.c_str()) == 0; };
  if (make()) return;
  struct stat there {};
  struct stat source {};
  struct stat named {};
  if (errno != EEXIST || fstatat(to.folder, to.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
      fstatat(from.folder, from.name.c_str(), &source, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(to.shown, std::strerror(errno));
  }
  const bool leads = fstatat(from.folder, from.name.c_str(), &named, 0) == 0;
  if (id_of(there) == id_of(source) || (leads && id_of(there) == id_of(named))) {
    return fail(to.shown, "is the file that it would be copied from");
  }
  if (unlinkat(to.folder, to.name.c_str(), 0) != 0 || !make()) {
    fail(to.shown, std::strerror(errno));
  }
}

void Cp::fail(const files::path& path, const std::string& cause) {
  complain("ring-cp: {}: {}", path.native(), cause);
  complete_ = false;
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) try {
  lab::open_standard_fds();
  lab::CpOptions options;
  lab::CommandLine line("ring-cp", "Copies a file, or a folder with --recursive, on io_uring.", 1);
  line.footer(
      "A file is copied as blocks in flight: the kernel's worker writes one while the next is\n"
      "read. What is not in the page cache is read past it. Small files are chains of open, open,\n"
      "read, write. New files and folders get the mode of theirs less the umask and less setuid\n"
      "and setgid; links stay links; owners, times and holes are not kept. An existing file is\n"
      "overwritten, as cp does. In the copy of a folder no link is followed, nor replaced by a\n"
      "file or a folder.\n"
      "Exit code: 0 all is copied; 1 something is not, and was named; 2 a wrong option.\n"
      "Examples:\n"
      "  ring-cp big.iso /backup/\n"
      "  ring-cp --recursive photos /backup/photos");
  line.add_option("from", options.from, "What is copied").required().check(lab::not_empty());
  line.add_option("to", options.to, "Where to: a new name, or a folder")
      .required()
      .check(lab::not_empty());
  line.add_flag("-r,-R,--recursive", options.recursive, "A folder with all that is in it");
  line.add_flag("--buffered", options.buffered,
                "Read a large file through the page cache even where it is not in it");
  line.add_option("--blocks", options.blocks, "Blocks of a large file in flight")
      .check(lab::in_range(1, 1024))
      .capture_default_str();
  line.add_option("--block-kib", options.block_kib, "Size of a block")
      .check(lab::in_range(4, 65536))
      .capture_default_str();
  line.add_option("--chains", options.chains, "Small files, up to 128 KiB, in flight")
      .check(lab::in_range(1, 1024))
      .capture_default_str();
  line.add_option("--workers", options.workers, "Worker threads of the kernel at most")
      .check(lab::in_range(1, 64))
      .capture_default_str();
  line.parse(lab::operands_as_written(argc, argv));
  return lab::Cp(options).run() ? 0 : 1;
} catch (const std::exception& error) {
  lab::complain("ring-cp: {}", error.what());
  return 1;
}
