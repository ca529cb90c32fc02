// Copies many small files, each as one chain: open, open, read, write. The kernel walks the chain
// by itself, and many chains are in flight.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/open.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/write.hpp"
#include "05-performance/files/copy_file.hpp"

namespace lab {

/// One file to copy, under the same name. The size is what it had when it was looked at.
struct SmallFile {
  std::string name;
  mode_t mode = 0;
  std::size_t size = 0;
  bool there = false;  ///< the target has a file of this name already, which is overwritten
};

/// A file that did not come out whole, and why. Without an error nothing was made or touched yet:
/// one of the two could not be opened, and opening it once more tells the reason.
struct SmallFailure {
  const SmallFile* file = nullptr;
  FileError error;
};

/// Direct descriptors, two a chain: no chain closes them, for opening into a slot closes what is in
/// it; run() empties the table at its end. REQUIRES: a table of at least 2 x chains, and a file
/// system that tells of its errors when it is written: a slot that is emptied is only let go of
/// (fput), nobody learns what close(2) would have returned.
class CopySmall {
 public:
  CopySmall(Ring& ring, FileTable& table, std::span<std::byte> memory, std::size_t block_size);

  /// Copies files of one folder into another. No link is followed: one that has taken a file's
  /// place is an error. What is made is never opened a second time, for its mode may forbid that
  /// to its own maker. REQUIRES: no file larger than a block.
  std::vector<SmallFailure> run(const Fd& from, const Fd& to, std::span<const SmallFile> files);

  std::size_t chains() const noexcept { return chains_.size(); }

 private:
  class Chain {
   public:
    Chain(CopySmall& copy, std::span<std::byte> memory, unsigned number)
        : copy_(copy),
          memory_(memory),
          from_(static_cast<FileSlot>(2 * number)),
          to_(static_cast<FileSlot>(2 * number + 1)) {}
    void take_next_file() noexcept;

   private:
    void on_open_from(Cqe) noexcept { on_step(); }
    void on_open_to(Cqe cqe) noexcept;
    void on_read(Cqe cqe) noexcept;
    void on_write(Cqe cqe) noexcept;
    void on_step() noexcept;
    void go_on() noexcept;

    CopySmall& copy_;
    std::span<std::byte> memory_;
    FileSlot from_;
    FileSlot to_;
    const SmallFile* file_ = nullptr;
    // Results still due. The cancelled ones of a broken chain may come before the one that broke
    // it.
    unsigned due_ = 0;
    bool opened_ = false;      ///< both: a source that cannot be opened cancels the other
    bool ended_ = false;       ///< the source, in what was read last
    std::size_t offset_ = 0;   ///< of what memory_ holds,
    std::size_t filled_ = 0;   ///< how much that is,
    std::size_t written_ = 0;  ///< and how much of it the target has
    FileError error_;
    Bind<Open, &Chain::on_open_from> open_from_{*this};
    Bind<Open, &Chain::on_open_to> open_to_{*this};
    Bind<Read, &Chain::on_read> read_{*this};
    Bind<Write, &Chain::on_write> write_{*this};
  };

  Ring& ring_;
  FileTable& table_;
  std::deque<Chain> chains_;
  int from_ = -1;  ///< the folders
  int to_ = -1;
  std::span<const SmallFile> files_;
  std::size_t next_ = 0;
  std::vector<SmallFailure> failed_;
};

}  // namespace lab
