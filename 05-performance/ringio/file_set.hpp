// The files of a run: opened or made, checked, and gone at the end.
//
// Lifetime: outlives every job. Rule: a file of its own loses its name as soon as it is open
// (unless it is to be kept), so whatever ends the program, even SIGKILL, leaves nothing behind.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "05-performance/ringio/options.hpp"

namespace lab {

/// Set by Ctrl-C, or by a job that failed: everybody comes to an end.
using StopFlag = std::atomic<bool>;

class FileSet {
 public:
  /// Opens the files, or makes them.
  /// @throws std::runtime_error what is wrong and the cure: no such file, an existing file that may
  /// not be written, the same file twice, no O_DIRECT, a block size that does not fit, a file that
  /// is too small
  explicit FileSet(const IoOptions& options);
  ~FileSet();
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;

  /// Fills the files of its own with stamped blocks, and makes them durable: nothing of it is left
  /// to be written when the run begins, and no block is a hole.
  /// @throws std::runtime_error when the disk is full
  void lay_out(const StopFlag& stop);

  /// Makes what was written durable and drops it from the page cache. @throws std::system_error
  void sync() const;

  const std::vector<Fd>& descriptors() const noexcept { return descriptors_; }
  const std::vector<std::string>& names() const noexcept { return names_; }
  unsigned count() const noexcept { return static_cast<unsigned>(descriptors_.size()); }
  /// True when every block was laid out by us: then its whole content is known.
  bool own() const noexcept { return own_count_ == count(); }
  /// Blocks of each file that are used: those that the smallest has.
  std::uint64_t blocks() const noexcept { return blocks_; }

 private:
  // Whatever its names and links: stat(2). A device is one whichever of its nodes is opened.
  struct Identity {
    explicit Identity(const struct stat& status) noexcept;
    auto operator<=>(const Identity&) const = default;

    bool device;
    dev_t where;
    ino_t number;
  };

  void make(const std::string& path);
  void make_unnamed();
  void open_existing(const std::string& path);
  void refuse_same(const Identity& identity, const std::string& path) const;
  void add(Fd fd, const std::string& path);
  void set_direct(const Fd& fd, const std::string& path) const;
  void check_room() const;
  void lay_out(unsigned file, const StopFlag& stop);
  void remove_names() noexcept;

  const IoOptions& options_;
  std::vector<Fd> descriptors_;
  std::vector<std::string> names_;
  std::map<Identity, std::size_t> places_;  // in names_
  std::vector<bool> is_own_;
  unsigned own_count_ = 0;
  std::uint64_t blocks_ = 0;
  // True while files of its own still have their names although they are not complete.
  bool incomplete_ = false;
};

}  // namespace lab
