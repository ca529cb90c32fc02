// Lines on their way out of a worker, in memory with a bound: whoever serves appends them and never
// waits, somebody else writes them. What does not fit is dropped and counted.
//
// Two halves: one is filled while the other is being written.
// Lifetime: made before the loop. The one who writes is told by three functions, so that this knows
// nothing of rings and descriptors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// Why a line was lost.
enum class LineLoss : std::uint8_t {
  slow,    ///< more came than could be written
  full,    ///< no space where they go, or a quota
  failed,  ///< another error
  count    ///< of them
};
/// How many counters there are of them.
inline constexpr std::size_t line_losses = static_cast<std::size_t>(LineLoss::count);

/// Who writes the lines. It outlives the last call.
struct LineWriter {
  void* self = nullptr;  ///< handed to both
  /// Something may be there to be written, or is much already.
  void (*look)(void* self) noexcept = [](void*) noexcept {};
  /// No more lines come. @return true when all is written, or given up; at once when it is late
  bool (*settle)(void* self, bool late) noexcept = [](void*, bool) noexcept { return true; };
};

/// Two halves: one is filled while the other is written.
class LineBuffer {
 public:
  /// @param bytes of both halves together
  /// @param losses where lost lines are counted, by LineLoss
  LineBuffer(std::size_t bytes, std::span<Counter, line_losses> losses)
      : half_bytes_(bytes / 2), losses_(losses) {
    for (Half& half : halves_)
      half.memory = std::make_unique_for_overwrite<char[]>(half_bytes_ + 1);
  }
  LineBuffer(const LineBuffer&) = delete;
  LineBuffer& operator=(const LineBuffer&) = delete;

  /// Who is told; nobody, until then.
  void written_by(const LineWriter& writer) noexcept { writer_ = writer; }

  // --- whoever appends ---

  /// Room for one line of so many bytes at the most; empty: there is none, and the line is lost.
  std::span<char> space(std::size_t most) noexcept {
    Half& half = filling();
    if (half_bytes_ - half.size >= most) return {half.text() + half.size, most};
    lost(LineLoss::slow, 1);
    return {};
  }
  /// So many of space() are a line now, its line feed among them.
  void wrote(std::size_t bytes) noexcept {
    filling().size += bytes;
    if (much_waits()) writer_.look(writer_.self);
  }
  /// Now and then: what waits shall be written.
  void tick() noexcept { writer_.look(writer_.self); }
  /// No more lines come. See LineWriter.
  bool settle(bool late) noexcept { return writer_.settle(writer_.self, late); }
  /// Counts lines that nobody will read.
  void lost(LineLoss why, std::uint64_t lines) noexcept {
    losses_[static_cast<std::size_t>(why)].add(lines);
  }

  // --- whoever writes ---

  /// Worth a write by itself. Less waits for the next tick, so that a write carries many lines.
  bool much_waits() const noexcept { return halves_[filling_].size >= batch_bytes(); }
  /// Nothing is appended that was not taken, and what was taken is given back.
  bool empty() const noexcept { return !taken_ && halves_[filling_].size == 0; }
  /// take() gave lines that are not given back yet.
  bool taken() const noexcept { return taken_; }
  /// All that was appended: whole lines. It stays as it is until give_back().
  /// REQUIRES that nothing is taken.
  /// @param end_a_line a line break in front, for half a line stands where they go
  std::string_view take(bool end_a_line) noexcept {
    LAB_ASSERT(!taken_);
    Half& half = filling();
    if (half.size == 0) return {};
    taken_ = true;
    filling_ ^= 1U;
    half.memory[0] = '\n';
    const std::string_view lines(half.text(), half.size);
    return end_a_line ? std::string_view(half.memory.get(), half.size + 1) : lines;
  }
  /// What was taken has been written, or is given up.
  void give_back() noexcept {
    LAB_ASSERT(taken_);
    taken_ = false;
    halves_[filling_ ^ 1U].size = 0;
  }

 private:
  struct Half {
    char* text() const noexcept { return memory.get() + 1; }
    std::unique_ptr<char[]> memory;
    std::size_t size = 0;
  };

  Half& filling() noexcept { return halves_[filling_]; }
  // The other half of it is for what comes while that is being written.
  std::size_t batch_bytes() const noexcept { return half_bytes_ / 2; }

  const std::size_t half_bytes_;
  std::array<Half, 2> halves_;
  std::span<Counter, line_losses> losses_;
  unsigned filling_ = 0;
  bool taken_ = false;
  LineWriter writer_;
};

}  // namespace lab
