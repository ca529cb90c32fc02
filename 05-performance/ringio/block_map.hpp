// Which blocks a job uses, in which order, and, for --verify, what each of them holds.
#pragma once

#include <cstdint>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "05-performance/ringio/xorshift.hpp"

namespace lab {

/// A block of a file. `index` counts the job's blocks over all files.
struct BlockPlace {
  std::uint64_t index;
  std::uint64_t offset;  ///< bytes from the file's beginning
  unsigned file;
};

/// The part of every file that one job has for itself: nobody else touches these blocks.
class BlockMap {
 public:
  struct Options {
    unsigned files = 1;
    std::uint64_t blocks = 1;  ///< of each file
    std::uint64_t block_size = 4096;
    unsigned jobs = 1;
    unsigned job = 0;
    bool track = false;  ///< remember what each block holds, and who is at it
  };

  explicit BlockMap(const Options& options)
      : files_(options.files),
        block_size_(options.block_size),
        first_(options.blocks * options.job / options.jobs),
        count_((options.blocks * (options.job + 1) / options.jobs - first_) * options.files),
        states_(options.track ? static_cast<std::size_t>(count_) : 0) {}

  std::uint64_t count() const noexcept { return count_; }

  BlockPlace random(Xorshift& numbers) noexcept { return free_from(numbers.below(count_)); }

  /// After the last block comes the first. Several files are walked side by side.
  BlockPlace sequential() noexcept {
    const BlockPlace place = free_from(next_);
    next_ = place.index + 1 == count_ ? 0 : place.index + 1;
    return place;
  }

  /// The next sequential() is the first block.
  void rewind() noexcept { next_ = 0; }

  /// For --verify, where one operation at a time is at a block: else nobody could say what it
  /// holds.
  void begin(const BlockPlace& place) noexcept {
    if (!states_.empty()) states_[place.index] |= busy;
  }
  void end(const BlockPlace& place) noexcept {
    if (!states_.empty()) states_[place.index] &= ~busy;
  }

  /// How often the block was written. REQUIRES: track.
  std::uint32_t generation(const BlockPlace& place) const noexcept {
    return states_[place.index] & ~busy;
  }
  /// A write of that generation has ended well.
  void set_generation(const BlockPlace& place, std::uint32_t generation) noexcept {
    states_[place.index] = (states_[place.index] & busy) | (generation & ~busy);
  }

 private:
  static constexpr std::uint32_t busy = 0x8000'0000U;

  // There is a free one: the files have at least twice as many blocks as operations are in flight.
  BlockPlace free_from(std::uint64_t index) const noexcept {
    if (!states_.empty()) {
      while ((states_[index] & busy) != 0) index = index + 1 == count_ ? 0 : index + 1;
    }
    return {.index = index,
            .offset = (first_ + index / files_) * block_size_,
            .file = static_cast<unsigned>(index % files_)};
  }

  const std::uint64_t files_;
  const std::uint64_t block_size_;
  const std::uint64_t first_;
  const std::uint64_t count_;
  std::uint64_t next_ = 0;
  std::vector<std::uint32_t> states_;
};

}  // namespace lab
