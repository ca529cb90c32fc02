// cp on io_uring: one file as a pipeline of blocks, a folder's small files as chains.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/standard_fds.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/files/copy_file.hpp"
#include "05-performance/files/copy_small.hpp"
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
  void copy_folder(const files::path& from, const files::path& to);
  void copy_one(const std::string& from, const std::string& to, mode_t mode);
  void copy_link(const files::path& from, const files::path& to);
  void fail(const std::string& path, const std::string& cause);
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

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// The last name of a path as cp understands it: none for "..", "." and "/", whose content is
/// meant.
files::path name_of(const files::path& path) {
  const files::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  return name == "." || name == ".." ? files::path() : name;
}

bool lies_in(const files::path& path, const files::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

/// Network file systems may tell of a failed write only at close(2), which nobody calls for a
/// direct descriptor.
bool writes_at_close(const files::path& folder) {
  constexpr std::array<std::uint32_t, 7> remote = {
      NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC,
      FUSE_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC};
  struct statfs status {};
  if (statfs(folder.c_str(), &status) != 0) return true;
  return std::ranges::find(remote, static_cast<std::uint32_t>(status.f_type)) != remote.end();
}

bool Cp::run() {
  const files::path& from = options_.from;
  files::path to = options_.to;
  std::error_code error;
  struct stat status {};
  if ((options_.recursive ? lstat : stat)(from.c_str(), &status) != 0) {
    fail(from, std::strerror(errno));
    return false;
  }
  if (files::is_directory(to, error)) to /= name_of(from);
  if (files::equivalent(from, to, error)) {
    fail(to, "is the file that it would be copied from");
  } else if (S_ISREG(status.st_mode)) {
    copy_one(from, to, status.st_mode & 07777);
  } else if (S_ISLNK(status.st_mode)) {
    copy_link(from, to);
  } else if (!S_ISDIR(status.st_mode)) {
    fail(from, "is neither a file nor a folder");
  } else if (!options_.recursive) {
    fail(from, "is a folder; --recursive copies it with what is in it");
  } else if (lies_in(files::weakly_canonical(to, error), files::canonical(from, error))) {
    fail(to, "lies in the folder that it would be copied from");
  } else {
    copy_folder(from, to);
  }
  return complete_;
}

// Folder by folder: the small files of one are in flight together, the others follow one by one.
void Cp::copy_folder(const files::path& from, const files::path& to) {
  std::vector<SmallFile> small;
  std::vector<SmallFile> large;
  std::vector<files::path> folders;
  struct stat folder {};
  if (stat(from.c_str(), &folder) != 0) return fail(from, std::strerror(errno));
  const bool made = mkdir(to.c_str(), (folder.st_mode & 07777) | S_IRWXU) == 0;
  if (!made && errno != EEXIST) return fail(to, std::strerror(errno));
  const bool by_close = writes_at_close(to);
  std::error_code failed;
  files::directory_iterator entry(from, failed);
  for (; !failed && entry != files::directory_iterator(); entry.increment(failed)) {
    const files::path& path = entry->path();
    const files::path target = to / path.filename();
    struct stat status {};
    struct stat there {};
    // Not OP_STATX, which always goes to a worker: the answer is in memory already.
    if (lstat(path.c_str(), &status) != 0) {
      fail(path, std::strerror(errno));
    } else if (S_ISREG(status.st_mode)) {
      const auto size = static_cast<std::size_t>(status.st_size);
      // A chain opens its target with O_TRUNC, unseen: what is in an old folder is looked at
      // before. And files of /proc say that they are empty.
      const bool old = !made && stat(target.c_str(), &there) == 0;
      const bool by_chain = size > 0 && size <= small_limit && !by_close &&
                            (!old || (S_ISREG(there.st_mode) && !is_same(status, there)));
      (by_chain ? small : large).push_back({path, target, status.st_mode & 07777, size});
    } else if (S_ISDIR(status.st_mode)) {
      folders.push_back(path);
    } else if (S_ISLNK(status.st_mode)) {
      copy_link(path, target);
    } else {
      fail(path, "is neither a file nor a folder nor a link");
    }
  }
  if (failed) fail(from, failed.message());
  for (const SmallFile* again : small_->run(small)) large.push_back(*again);
  for (const SmallFile& file : large) copy_one(file.from, file.to, file.mode);
  for (const files::path& inner : folders) copy_folder(inner, to / inner.filename());
  // Only now, for a folder that is closed to its owner takes no files.
  struct stat status {};
  if (made && (folder.st_mode & S_IRWXU) != S_IRWXU && stat(to.c_str(), &status) == 0) {
    chmod(to.c_str(), status.st_mode & 07777 & ~(S_IRWXU & ~folder.st_mode));
  }
}

void Cp::copy_one(const std::string& from, const std::string& to, mode_t mode) {
  struct stat status {};
  const bool old = stat(to.c_str(), &status) == 0;
  if (old && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode) && !S_ISDIR(status.st_mode)) {
    return fail(to, "is a pipe or a device, and blocks are not written in order. ring-cat does");
  }
  const Fd source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return fail(from, std::strerror(errno));
  posix_fadvise(source.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Fd target(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, mode));
  if (!target) return fail(to, std::strerror(errno));
  // Not with O_TRUNC: it would have emptied the source.
  struct stat source_status {};
  if (fstat(source.get(), &source_status) == 0 && fstat(target.get(), &status) == 0 &&
      is_same(source_status, status)) {
    return fail(to, "is the file that it would be copied from");
  }
  if (old && S_ISREG(status.st_mode) && ftruncate(target.get(), 0) != 0) {
    return fail(to, std::strerror(errno));
  }
  // What is not in the page cache need not go there on its way: one copy less. Not every file
  // system can (then there is no descriptor).
  const bool cold = !options_.buffered && cached_share(source) < 0.5;
  const Fd direct(cold ? open(from.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC) : -1);
  FileError error = large_.run(source, target, direct);
  // Some file systems tell of a full disk only here.
  if (close(target.release()) != 0) error.note("closing", -errno);
  if (error.error != 0) {
    fail(error.at_source ? from : to,
         fmt::format("{}: {}", error.what, std::strerror(-error.error)));
  }
}

// As cp: what stands in the way and is no folder is replaced.
void Cp::copy_link(const files::path& from, const files::path& to) {
  std::error_code error;
  files::copy_symlink(from, to, error);
  if (error == std::errc::file_exists && unlink(to.c_str()) == 0) {
    files::copy_symlink(from, to, error);
  }
  if (error) fail(to, error.message());
}

void Cp::fail(const std::string& path, const std::string& cause) {
  complain("ring-cp: {}: {}", path, cause);
  complete_ = false;
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) try {
  lab::open_standard_fds();
  lab::CpOptions options;
  CLI::App app{"Copies a file, or a folder with --recursive, on io_uring.", "ring-cp"};
  app.footer(
      "A file is copied as blocks in flight: the kernel's worker writes one while the next is\n"
      "read. What is not in the page cache is read past it. Small files are chains of open, open,\n"
      "read, write. New files and folders get the mode of theirs less the umask, links stay "
      "links;\n"
      "owners, times and holes are not kept. An existing file is overwritten, as cp does.\n"
      "Exit code: 0 all is copied; 1 something is not, and was named; 2 a wrong option.\n"
      "Examples:\n"
      "  ring-cp big.iso /backup/\n"
      "  ring-cp --recursive photos /backup/photos");
  app.add_option("from", options.from, "What is copied")->required();
  app.add_option("to", options.to, "Where to: a new name, or a folder")->required();
  app.add_flag("-r,--recursive", options.recursive, "A folder with all that is in it");
  app.add_flag("--buffered", options.buffered,
               "Read a large file through the page cache even where it is not in it");
  app.add_option("--blocks", options.blocks, "Blocks of a large file in flight")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--block-kib", options.block_kib, "Size of a block")
      ->check(CLI::Range(4, 65536))
      ->capture_default_str();
  app.add_option("--chains", options.chains, "Small files, up to 128 KiB, in flight")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--workers", options.workers, "Worker threads of the kernel at most")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return lab::Cp(options).run() ? 0 : 1;
} catch (const std::exception& error) {
  lab::complain("ring-cp: {}", error.what());
  return 1;
}
