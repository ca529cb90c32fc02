// Copies one file with several blocks in flight: while the kernel's worker writes one, we read the
// next. What lessons 02/04 and 02/14 built, with errors as results.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/write.hpp"

namespace lab {

/// The first thing that went wrong: what was tried, and its -errno. 0: nothing did.
struct FileError {
  const char* what = "";
  int error = 0;
  bool at_source = false;  ///< else at the target

  /// Keeps the first one.
  void note(const char* tried, int res, bool source = false) noexcept {
    if (error == 0) *this = {tried, res, source};
  }
};

/// Whether a file can be read ahead. A regular one that says that it is empty may be of /proc,
/// which the kernel writes anew for each reader: to find an offset, it begins at the beginning. And
/// devices other than blocks may know no offset but their position.
inline bool has_offsets(const struct stat& status) noexcept {
  return S_ISBLK(status.st_mode) || (S_ISREG(status.st_mode) && status.st_size > 0);
}

/// One copy at a time, any number of them one after the other.
/// Lifetime: the memory outlives it, and it dies when nothing of it is armed.
class CopyFile {
 public:
  /// @param memory is cut into equal blocks. Reading directly needs it at a page's beginning, and
  ///               a block size of whole pages
  CopyFile(Ring& ring, std::span<std::byte> memory, std::size_t block_size);

  /// Copies until the source ends, wherever that is by then. REQUIRES: a target with offsets, for
  /// blocks are written as they come: a pipe would get them out of order.
  /// @param direct the source once more, opened with O_DIRECT: whole blocks come from the device
  ///               into our memory. Empty: all of it comes through the page cache
  /// @return what went wrong first, when all that was in flight has ended
  FileError run(const Fd& from, const Fd& to, const Fd& direct = {});

  /// The same for a source without offsets: one block after the other, from its own position.
  FileError run_in_order(const Fd& from, const Fd& to);

 private:
  // A range of the file in one piece of memory, read into and then written from.
  class Block {
   public:
    Block(CopyFile& copy, std::span<std::byte> memory) : copy_(copy), memory_(memory) {}
    void take_next_range() noexcept;

   private:
    void read() noexcept;
    void on_read(Cqe cqe) noexcept;
    void write() noexcept;
    void on_write(Cqe cqe) noexcept;

    CopyFile& copy_;
    std::span<std::byte> memory_;
    const Fd* from_ = nullptr;
    std::uint64_t offset_ = 0;  ///< of what memory_ holds
    std::size_t left_ = 0;      ///< bytes of the range that were not read yet
    std::size_t filled_ = 0;
    std::size_t written_ = 0;
    Bind<Read, &Block::on_read> read_{*this};
    Bind<Write, &Block::on_write> write_{*this};
  };

  FileError copy(const Fd& from, const Fd& to, const Fd& direct, std::size_t blocks);

  Ring& ring_;
  std::size_t block_size_;
  std::deque<Block> blocks_;  // never moved: their operations are armed
  const Fd* from_ = nullptr;
  const Fd* direct_ = nullptr;
  const Fd* to_ = nullptr;
  bool in_order_ = false;
  std::uint64_t next_ = 0;
  // Where a read found the end, and how far we wrote. No range after the end is begun; but while a
  // file grows, a read behind its old end can bring something.
  std::uint64_t end_ = 0;
  std::uint64_t written_to_ = 0;
  FileError failure_;
};

}  // namespace lab
