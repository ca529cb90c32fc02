// Room for coroutine frames: one piece of memory that the owner gives, cut into equal parts.
// Lifetime: the memory outlives the pool, the pool outlives every frame; its destructor asserts it.
// Rule: an empty pool is a result. It never grows, and nothing here throws.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "01-core/lib/assert.hpp"
#include "01-core/lib/poison.hpp"

namespace lab {

/// A fixed number of frames of a fixed size. Single-threaded. Under AddressSanitizer a free frame
/// is poisoned: whoever touches one that was given back is stopped.
/// @code
///   alignas(FramePool::alignment) std::array<std::byte, FramePool::bytes_for(64, 512)> memory;
///   FramePool frames(memory, 512);
///   Task task = session(frames, ring);  // a coroutine whose first parameter is the pool
/// @endcode
class FramePool {
 public:
  static constexpr std::size_t alignment =
      __STDCPP_DEFAULT_NEW_ALIGNMENT__;  ///< bytes; what operator new promises, and so what a frame
                                         ///< may ask for

  /// The memory that `count` frames of up to `frame_bytes` need.
  static constexpr std::size_t bytes_for(std::size_t count, std::size_t frame_bytes) noexcept {
    return count * (sizeof(Header) + rounded(frame_bytes));
  }

  /// @param memory aligned to `alignment`; see bytes_for()
  /// @param frame_bytes the largest frame; the compiler decides what a frame takes, and takes more
  ///   without optimization: largest() says what was asked for
  FramePool(std::span<std::byte> memory, std::size_t frame_bytes) noexcept
      : memory_(memory), frame_bytes_(rounded(frame_bytes)) {
    LAB_ASSERT(reinterpret_cast<std::uintptr_t>(memory.data()) % alignment == 0);
    count_ = static_cast<std::uint32_t>(memory.size() / step());
    poison(memory_.data(), memory_.size());
  }
  ~FramePool() {
    LAB_ASSERT(used() == 0);
    unpoison(memory_.data(), memory_.size());
  }
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  /// Room for a frame, or null when every frame is in use (and then refused() counts).
  /// REQUIRES bytes <= frame_bytes: a frame that can never fit is a bug, not a full house.
  void* take(std::size_t bytes) noexcept {
    largest_ = std::max(largest_, bytes);
    LAB_ASSERT(bytes <= frame_bytes_);
    Header* const header = free_ != nullptr ? free_ : first_use();
    if (header == nullptr) {
      ++refused_;
      return nullptr;
    }
    free_ = header->next;
    ++used_;
    unpoison(header + 1, frame_bytes_);
    return header + 1;
  }

  /// The frame knows its pool, since a coroutine's operator delete is told nothing but the address.
  static void give_back(void* frame) noexcept {
    Header* header = static_cast<Header*>(frame) - 1;
    header->pool->put(header);
  }

  /// Frames, in use or not.
  std::uint32_t size() const noexcept { return count_; }
  /// Frames that are not in use.
  std::uint32_t free() const noexcept { return count_ - used_; }
  /// 0 exactly when no task has a frame: everything that was destroyed has been joined.
  std::uint32_t used() const noexcept { return used_; }
  /// Coroutines that got no frame.
  std::uint64_t refused() const noexcept { return refused_; }
  /// The largest frame asked for, in bytes.
  std::size_t largest() const noexcept { return largest_; }

 private:
  struct alignas(alignment) Header {
    FramePool* pool;
    Header* next;
  };

  static constexpr std::size_t rounded(std::size_t bytes) noexcept {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  std::size_t step() const noexcept { return sizeof(Header) + frame_bytes_; }

  // A frame that nobody has had yet, or null: memory is paid for when it is first used.
  Header* first_use() noexcept {
    if (fresh_ == count_) return nullptr;
    std::byte* const place = memory_.data() + fresh_++ * step();
    unpoison(place, sizeof(Header));
    return ::new (static_cast<void*>(place)) Header{this, nullptr};
  }

  void put(Header* header) noexcept {
    header->next = free_;
    free_ = header;
    --used_;
    poison(header + 1, frame_bytes_);
  }

  std::span<std::byte> memory_;
  std::size_t frame_bytes_;
  Header* free_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint32_t fresh_ = 0;  ///< frames from here on were never used
  std::uint32_t used_ = 0;
  std::uint64_t refused_ = 0;
  std::size_t largest_ = 0;
};

}  // namespace lab
