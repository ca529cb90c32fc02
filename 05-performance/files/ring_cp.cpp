// cp on io_uring: one file as a pipeline of blocks, a folder's small files as chains.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "01-core/lib/check.hpp"
#include "02-files/lib/huge_arena.hpp"
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
  // 2 MiB: more no longer stays in the processor's cache, and more blocks were not faster.
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
  void fail(const std::string& path, const std::string& cause);

  const CpOptions options_;
  const std::size_t block_size_ = std::size_t{options_.block_kib} * 1024;
  // The chain of a small file is 4 operations and 2 slots.
  Ring ring_{RingPreset::file_io({.depth = std::max(options_.blocks, 4 * options_.chains)})};
  FileTable table_{ring_, 2 * options_.chains};
  // Never both at once: they share it.
  HugeArena memory_{std::max(options_.blocks * block_size_, options_.chains* small_limit)};
  CopyFile large_{ring_, memory_.memory().first(options_.blocks* block_size_), block_size_};
  CopySmall small_{ring_, memory_.memory().first(options_.chains* small_limit), small_limit};
  bool complete_ = true;
};

Cp::Cp(const CpOptions& options) : options_(options) {
  unsigned workers[2] = {options_.workers, options_.workers};
  check(io_uring_register_iowq_max_workers(ring_.raw(), workers),
        "setting the number of worker threads");
}

bool Cp::run() {
  const files::path& from = options_.from;
  files::path to = options_.to;
  struct stat status {};
  if (stat(from.c_str(), &status) != 0) {
    fail(from, std::strerror(errno));
    return false;
  }
  if (files::is_directory(to)) to /= from.filename();
  if (files::exists(to) && files::equivalent(from, to)) {
    fail(to, "is the file that it would be copied from");
  } else if (S_ISREG(status.st_mode)) {
    copy_one(from, to, status.st_mode & 07777);
  } else if (!S_ISDIR(status.st_mode)) {
    fail(from, "is neither a file nor a folder");
  } else if (!options_.recursive) {
    fail(from, "is a folder; --recursive copies it with what is in it");
  } else if (files::weakly_canonical(to).string().starts_with(files::canonical(from).string() +
                                                              "/")) {
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
  struct stat status {};
  if (stat(from.c_str(), &status) != 0 ||
      (mkdir(to.c_str(), (status.st_mode & 07777) | S_IRWXU) != 0 && errno != EEXIST)) {
    return fail(to, std::strerror(errno));
  }
  std::error_code failed;
  for (const files::directory_entry& entry : files::directory_iterator(from, failed)) {
    const files::path& path = entry.path();
    files::path target = to / path.filename();
    // Not OP_STATX, which always goes to a worker: the answer is in memory already.
    if (lstat(path.c_str(), &status) != 0) {
      fail(path, std::strerror(errno));
    } else if (S_ISREG(status.st_mode)) {
      const auto size = static_cast<std::size_t>(status.st_size);
      (size <= small_limit ? small : large)
          .push_back({path, std::move(target), status.st_mode & 07777, size});
    } else if (S_ISDIR(status.st_mode)) {
      folders.push_back(path);
    } else if (S_ISLNK(status.st_mode)) {
      std::error_code error;
      files::copy_symlink(path, target, error);
      if (error) fail(target, error.message());
    } else {
      fail(path, "is neither a file nor a folder nor a link");
    }
  }
  if (failed) fail(from, failed.message());
  for (const SmallFile* again : small_.run(small)) large.push_back(*again);
  for (const SmallFile& file : large) copy_one(file.from, file.to, file.mode);
  for (const files::path& folder : folders) copy_folder(folder, to / folder.filename());
}

void Cp::copy_one(const std::string& from, const std::string& to, mode_t mode) {
  const Fd source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return fail(from, std::strerror(errno));
  posix_fadvise(source.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Fd target(open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!target) return fail(to, std::strerror(errno));
  // What is not in the page cache need not go there on its way: one copy less. Not every file
  // system can (then there is no descriptor).
  const bool cold = !options_.buffered && cached_share(source) < 0.5;
  const Fd direct(cold ? open(from.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC) : -1);
  FileError error = large_.run(source, target, direct);
  // Some file systems tell of a full disk only here.
  if (close(target.release()) != 0) error.note("closing", -errno);
  if (error.error != 0) {
    fail(to, fmt::format("{}: {}", error.what, std::strerror(-error.error)));
  }
}

void Cp::fail(const std::string& path, const std::string& cause) {
  fmt::print(stderr, "ring-cp: {}: {}\n", path, cause);
  complete_ = false;
}

}  // namespace

}  // namespace lab

int main(int argc, char** argv) try {
  lab::CpOptions options;
  CLI::App app{"Copies a file, or a folder with --recursive, on io_uring.", "ring-cp"};
  app.footer(
      "A file is copied as blocks in flight: the kernel's worker writes one while the next is\n"
      "read. What is not in the page cache is read past it. Small files are chains of open, open, "
      "read, write. Modes are kept less the umask,\n"
      "links stay links; owners, times and holes are not kept. An existing file is overwritten,\n"
      "as cp does. Examples:\n"
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
  CLI11_PARSE(app, argc, argv);
  return lab::Cp(options).run() ? 0 : 1;
} catch (const std::exception& error) {
  fmt::print(stderr, "ring-cp: {}\n", error.what());
  return 1;
}
