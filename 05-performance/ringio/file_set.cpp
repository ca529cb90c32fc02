#include "05-performance/ringio/file_set.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "01-core/lib/check.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "05-performance/ringio/block_stamp.hpp"

namespace lab {

namespace {

constexpr std::uint64_t own_size = std::uint64_t{1} << 30;
constexpr std::size_t chunk_size = std::size_t{1} << 20;  // of one write while laying out

[[noreturn]] void refuse(const std::string& text) { throw std::runtime_error(text); }

// Rings, the standard streams and what libraries may open come on top of the files.
void raise_descriptor_limit(const IoOptions& options) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t needed = (options.paths.empty() ? options.files : options.paths.size()) +
                               std::uint64_t{options.jobs} + 16;
  if (needed > limit.rlim_max) {
    refuse(
        fmt::format("{} files and {} jobs need more than the {} descriptors that this process "
                    "may have. Cure: fewer files, or a higher limit (ulimit -Hn)",
                    needed - options.jobs - 16, options.jobs, limit.rlim_max));
  }
}

std::uint64_t size_of(const Fd& fd, const std::string& path, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  std::uint64_t size = 0;
  check_errno(ioctl(fd.get(), BLKGETSIZE64, &size), path.c_str());
  return size;
}

// What O_DIRECT asks of offsets and sizes; the memory is aligned to pages anyway. Linux 6.1; where
// the file system does not say, 512 is what nearly all take.
std::uint64_t direct_alignment(const Fd& fd) {
  struct statx status {};
  if (statx(fd.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) != 0) return 512;
  if ((status.stx_mask & STATX_DIOALIGN) == 0 || status.stx_dio_offset_align == 0) return 512;
  return status.stx_dio_offset_align;
}

std::string temporary_folder(const IoOptions& options) {
  if (!options.directory.empty()) return options.directory;
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : ".";
}

}  // namespace

FileSet::Identity::Identity(const struct stat& status) noexcept
    : device(S_ISBLK(status.st_mode)),
      where(device ? status.st_rdev : status.st_dev),
      number(device ? 0 : status.st_ino) {}

FileSet::FileSet(const IoOptions& options)
    : options_(options), blocks_(std::numeric_limits<std::uint64_t>::max()) {
  raise_descriptor_limit(options);
  try {
    if (options.paths.empty()) {
      while (count() < options.files) make_unnamed();
    }
    for (const std::string& path : options.paths) {
      struct stat status {};
      const bool exists = stat(path.c_str(), &status) == 0 || errno != ENOENT;
      if (exists || !options.writes()) {
        open_existing(path);
      } else {
        make(path);
      }
    }
    check_room();
  } catch (...) {
    remove_names();
    throw;
  }
}

FileSet::~FileSet() {
  if (incomplete_) remove_names();
}

void FileSet::make_unnamed() {
  const std::string folder = temporary_folder(options_);
  std::string path = folder + "/ringio-XXXXXX";
  Fd fd(mkostemp(path.data(), O_CLOEXEC));
  if (!fd) {
    refuse(fmt::format("no file can be made in {}: {}. Cure: --directory DIR", folder,
                       std::strerror(errno)));
  }
  is_own_.push_back(true);
  add(std::move(fd), path);
}

void FileSet::make(const std::string& path) {
  // O_EXCL: what appears under the name in this moment is not ours, and is not touched.
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) refuse(fmt::format("{} cannot be made: {}", path, std::strerror(errno)));
  is_own_.push_back(true);
  add(std::move(fd), path);
}

void FileSet::open_existing(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    refuse(fmt::format("{}: {}.{}", path, std::strerror(errno),
                       errno == ENOENT ? " Cure: name a file that is there, or none: then ringio "
                                         "makes one of its own and removes it"
                                       : ""));
  }
  const bool device = S_ISBLK(status.st_mode);
  if (!device && !S_ISREG(status.st_mode)) {
    refuse(fmt::format("{} is neither a file nor a block device", path));
  }
  refuse_same(Identity(status), path);
  if (options_.writes() && device && !options_.overwrite_device) {
    refuse(
        fmt::format("{} is a device, and writing would destroy what is on it. If that is meant: "
                    "--overwrite-device",
                    path));
  }
  if (options_.writes() && !device && !options_.overwrite) {
    refuse(
        fmt::format("{} exists, and writing would destroy its content. Cure: name a new file, "
                    "or none; if it is meant: --overwrite",
                    path));
  }
  // On a block device O_EXCL means: nobody has mounted it, open(2).
  const int how = options_.writes() ? O_RDWR | (device ? O_EXCL : 0) : O_RDONLY;
  Fd fd(open(path.c_str(), how | O_CLOEXEC));
  if (!fd) {
    refuse(fmt::format("{}: {}{}", path, std::strerror(errno),
                       errno == EBUSY ? " (it is mounted or in use: never written)" : ""));
  }
  is_own_.push_back(false);
  add(std::move(fd), path);
}

// A block is somebody's, with his stamp. As part of two files it would have two owners, and the
// writes of one would be damage to the other. Who only reads does not mind.
void FileSet::refuse_same(const Identity& identity, const std::string& path) const {
  const auto same = places_.find(identity);
  if (same == places_.end() || (!options_.writes() && !options_.verify)) return;
  const std::string& other = names_[same->second];
  refuse(
      fmt::format("{} {}: to write or to --verify, each of its blocks must belong to one file of "
                  "the run. Cure: name each file once",
                  path, other == path ? "is named twice" : "is the same file as " + other));
}

void FileSet::add(Fd fd, const std::string& path) {
  const bool own = is_own_.back();
  names_.push_back(path);
  descriptors_.push_back(std::move(fd));
  const Fd& file = descriptors_.back();
  if (own) {
    ++own_count_;
    incomplete_ = true;
    if (!options_.keep) unlink(path.c_str());
  }
  if (options_.direct) set_direct(file, path);
  struct stat status {};
  check_errno(fstat(file.get(), &status), path.c_str());
  places_.emplace(Identity(status), names_.size() - 1);
  const std::uint64_t there = own ? options_.size.value_or(own_size) : size_of(file, path, status);
  if (options_.size && *options_.size > there) {
    refuse(
        fmt::format("{} is too short: {} bytes, and --size says {}", path, there, *options_.size));
  }
  const std::uint64_t blocks = options_.size.value_or(there) / options_.block_size;
  // While a block is in use, --verify lets nobody else at it, so there must be enough of them.
  const std::uint64_t needed =
      options_.jobs * (options_.verify ? std::uint64_t{options_.depth} * 2 : 1);
  if (blocks < needed) {
    refuse(
        fmt::format("{} is too short: {} blocks of {} bytes, and {} are needed for {} jobs{}. "
                    "Cure: a larger file (--size) or smaller blocks",
                    path, blocks, options_.block_size, needed, options_.jobs,
                    options_.verify ? " of that depth" : ""));
  }
  blocks_ = std::min(blocks_, blocks);
}

// After the open and not with it: an open that makes a file and then refuses O_DIRECT leaves it.
void FileSet::set_direct(const Fd& fd, const std::string& path) const {
  if (fcntl(fd.get(), F_SETFL, O_DIRECT) != 0) {
    refuse(
        fmt::format("{}: its file system refuses O_DIRECT ({}). Cure: --buffered, or a file on "
                    "a disk",
                    path, std::strerror(errno)));
  }
  const std::uint64_t alignment = direct_alignment(fd);
  if (options_.block_size % alignment != 0) {
    refuse(fmt::format(
        "--block-size {} is not a multiple of {}, the logical block of {}: O_DIRECT "
        "needs that. Cure: --block-size {}, or --buffered",
        options_.block_size, alignment, path, (options_.block_size / alignment + 1) * alignment));
  }
}

void FileSet::check_room() const {
  if (own_count_ == 0) return;
  const auto place =
      static_cast<std::size_t>(std::find(is_own_.begin(), is_own_.end(), true) - is_own_.begin());
  struct statvfs system {};
  if (fstatvfs(descriptors_[place].get(), &system) != 0) return;
  const std::uint64_t room = std::uint64_t{system.f_bavail} * system.f_frsize;
  const std::uint64_t of_each = blocks_ * options_.block_size;
  // All of them together may be more than 2^64 bytes.
  if (of_each > room / own_count_) {
    refuse(
        fmt::format("the disk is too full: {} x {} MiB are needed and {} MiB are free. "
                    "Cure: a smaller --size, or --directory on another disk",
                    own_count_, of_each >> 20, room >> 20));
  }
}

void FileSet::lay_out(const StopFlag& stop) {
  for (unsigned file = 0; file < count(); ++file) {
    if (is_own_[file]) lay_out(file, stop);
  }
  if (!stop) incomplete_ = false;
}

void FileSet::lay_out(unsigned file, const StopFlag& stop) {
  const Fd& fd = descriptors_[file];
  const std::uint64_t chunk_blocks = std::max<std::size_t>(1, chunk_size / options_.block_size);
  const HugeArena memory(chunk_blocks * options_.block_size);
  for (std::uint64_t block = 0; block < blocks_ && !stop; block += chunk_blocks) {
    const std::uint64_t count = std::min(chunk_blocks, blocks_ - block);
    for (std::uint64_t place = 0; place < count; ++place) {
      fill_block(
          memory.memory().subspan(place * options_.block_size, options_.block_size),
          {.seed = options_.seed, .file = file, .offset = (block + place) * options_.block_size});
    }
    std::span<std::byte> rest = memory.memory().first(count * options_.block_size);
    std::uint64_t offset = block * options_.block_size;
    while (!rest.empty()) {
      const ssize_t res = pwrite(fd.get(), rest.data(), rest.size(), static_cast<off_t>(offset));
      if (res < 0 && errno == EINTR) continue;
      if (res < 0) {
        refuse(fmt::format("laying out {} failed: {}{}", names_[file], std::strerror(errno),
                           errno == ENOSPC ? ". Cure: a smaller --size, or another disk" : ""));
      }
      rest = rest.subspan(static_cast<std::size_t>(res));
      offset += static_cast<std::uint64_t>(res);
    }
  }
  check_errno(fsync(fd.get()), "fsync (laying out)");
  // A buffered run begins with a cold cache, or it would measure what was just laid there.
  posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

void FileSet::sync() const {
  for (unsigned file = 0; file < count(); ++file) {
    check_errno(fdatasync(descriptors_[file].get()), names_[file].c_str());
    posix_fadvise(descriptors_[file].get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

// Without --keep the names are gone already; by now they may be somebody else's.
void FileSet::remove_names() noexcept {
  if (!options_.keep) return;
  for (unsigned file = 0; file < names_.size(); ++file) {
    if (is_own_[file]) unlink(names_[file].c_str());
  }
}

}  // namespace lab
