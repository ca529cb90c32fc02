// Buffers of a worker's, each handed out as a whole: for what protocols write, and, where the
// kernel picks none, for what is received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "01-core/lib/poison.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// Buffers of one size. The last segment that reads one brings it home.
/// Lifetime: its memory outlives it, and it outlives its segments; the destructor asserts it.
class PooledBuffers final : public SegmentOwner {
 public:
  /// @param memory at least count * size bytes
  /// @param what `received` where an engine reads into them itself
  PooledBuffers(std::span<std::byte> memory, unsigned count, unsigned size,
                SegmentKind what = SegmentKind::pooled)
      : SegmentOwner(what, &on_share, &on_give_back),
        memory_(memory.data()),
        size_(size),
        readers_(count),
        home_(count) {
    LAB_ASSERT(memory.size() >= std::size_t{count} * size);
    for (unsigned id = 0; id < count; ++id) home_[id] = count - 1 - id;
    free_ = count;
    poison(memory_, std::size_t{count} * size);
  }
  ~PooledBuffers() {
    LAB_ASSERT(free_ == count());
    unpoison(memory_, std::size_t{count()} * size_);
  }

  unsigned count() const noexcept { return static_cast<unsigned>(home_.size()); }  ///< of all
  unsigned size() const noexcept { return size_; }                                 ///< bytes of one
  unsigned free() const noexcept { return free_; }  ///< how many are home

  /// For tests that stand in the kernel's place: nobody reads it.
  bool is_home(std::uint32_t id) const noexcept { return readers_[id] == 0; }
  /// Where it begins.
  std::byte* address(std::uint32_t id) const noexcept { return memory_ + std::size_t{id} * size_; }
  /// The buffer that this byte lies in, or -1.
  int id_of(const std::byte* byte) const noexcept {
    if (byte < memory_ || byte >= address(count())) return -1;
    return static_cast<int>(static_cast<std::size_t>(byte - memory_) / size_);
  }

  /// @return none when all are out
  PooledBuffer take() noexcept {
    if (free_ == 0) return {};
    const std::uint32_t id = home_[--free_];
    LAB_ASSERT(readers_[id] == 0);
    readers_[id] = 1;
    unpoison(address(id), size_);
    return {*this, id, {address(id), size_}};
  }

 private:
  static void on_share(SegmentOwner& owner, std::uint32_t id) noexcept {
    auto& self = static_cast<PooledBuffers&>(owner);
    LAB_ASSERT(self.readers_[id] > 0);
    ++self.readers_[id];
  }
  static void on_give_back(SegmentOwner& owner, std::uint32_t id) noexcept {
    auto& self = static_cast<PooledBuffers&>(owner);
    LAB_ASSERT(self.readers_[id] > 0);
    if (--self.readers_[id] > 0) return;
    poison(self.address(id), self.size_);
    self.home_[self.free_++] = id;
  }

  std::byte* memory_;
  unsigned size_;
  unsigned free_ = 0;
  std::vector<std::uint16_t> readers_;
  std::vector<std::uint32_t> home_;  ///< the first free_ of them are: the latest is warm
};

}  // namespace lab
