// Copies many small files, each as one chain: open, open, read, write. The kernel walks the chain
// by itself, and many chains are in flight.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "02-files/lib/open.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/write.hpp"

namespace lab {

/// One file to copy. The size is what it had when it was looked at.
struct SmallFile {
  std::string from;
  std::string to;
  mode_t mode = 0;
  std::size_t size = 0;
};

/// Direct descriptors, two a chain: no chain closes them, for opening into a slot closes what is in
/// it; run() empties the table at its end. REQUIRES: a table of at least 2 x chains, and a file
/// system that tells of its errors when it is written: a slot that is emptied is only let go of
/// (fput), nobody learns what close(2) would have returned.
class CopySmall {
 public:
  CopySmall(Ring& ring, FileTable& table, std::span<std::byte> memory, std::size_t block_size);

  /// REQUIRES: no file larger than a block.
  /// @return the files that did not come out whole: they have become shorter, or an operation
  /// failed. Copying each of them by itself tells which.
  std::vector<const SmallFile*> run(std::span<const SmallFile> files);

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
    void on_open_to(Cqe) noexcept { on_step(); }
    void on_read(Cqe) noexcept { on_step(); }
    void on_write(Cqe cqe) noexcept;
    void on_step() noexcept;

    CopySmall& copy_;
    std::span<std::byte> memory_;
    FileSlot from_;
    FileSlot to_;
    const SmallFile* file_ = nullptr;
    // Results still due. The cancelled ones of a broken chain may come before the one that broke
    // it.
    unsigned due_ = 0;
    Bind<Open, &Chain::on_open_from> open_from_{*this};
    Bind<Open, &Chain::on_open_to> open_to_{*this};
    Bind<Read, &Chain::on_read> read_{*this};
    // Its result says how the chain went, for a failure or a short read cancels what follows.
    Bind<Write, &Chain::on_write> write_{*this};
  };

  Ring& ring_;
  FileTable& table_;
  std::deque<Chain> chains_;
  std::span<const SmallFile> files_;
  std::size_t next_ = 0;
  std::vector<const SmallFile*> failed_;
};

}  // namespace lab
