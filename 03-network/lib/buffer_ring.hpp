// Provided buffers: the kernel takes one from a shared ring when data arrives, so no connection
// holds memory while it waits. What it filled comes to us as a BufferLease and goes home when the
// lease dies.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "01-core/lib/ring.hpp"

namespace lab {

/// Which buffer of its ring.
enum class BufferId : std::uint16_t {};

class BufferRing;

/// The right to read one slice of a buffer the kernel filled. Its death gives it back.
/// Moving it is the whole data flow. It dies before its BufferRing.
class BufferLease {
 public:
  BufferLease() noexcept = default;
  ~BufferLease() { reset(); }
  BufferLease(BufferLease&& other) noexcept
      : ring_(std::exchange(other.ring_, nullptr)),
        offset_(other.offset_),
        length_(other.length_),
        id_(other.id_) {}
  BufferLease& operator=(BufferLease&& other) noexcept {
    if (this != &other) {
      reset();
      ring_ = std::exchange(other.ring_, nullptr);
      offset_ = other.offset_;
      length_ = other.length_;
      id_ = other.id_;
    }
    return *this;
  }
  BufferLease(const BufferLease&) = delete;
  BufferLease& operator=(const BufferLease&) = delete;

  /// What was received and not dropped. REQUIRES: a lease of something.
  inline std::span<std::byte> bytes() const noexcept;
  /// Bytes.
  std::uint32_t size() const noexcept { return length_; }
  /// The buffer that the slice lies in.
  BufferId id() const noexcept { return id_; }
  /// False for a lease of nothing: made so, moved from, reset or released.
  explicit operator bool() const noexcept { return ring_ != nullptr; }

  /// Forgets the first `count` bytes. REQUIRES count <= size().
  void drop_front(std::uint32_t count) noexcept {
    LAB_ASSERT(count <= length_);
    offset_ += count;
    length_ -= count;
  }

  /// A second lease of all but the first `count` bytes; this one keeps everything.
  /// For the rest of a short zero-copy send: what was sent still awaits its notification.
  inline BufferLease rest_after(std::uint32_t count) noexcept;

  /// Gives the slice back now. Afterwards it is a lease of nothing.
  inline void reset() noexcept;

  /// Leaves the account as it is and forgets the buffer: whoever takes it over, calls
  /// BufferRing::give_back() in its stead.
  BufferId release() noexcept {
    ring_ = nullptr;
    return id_;
  }

 private:
  friend class BufferRing;
  BufferLease(BufferRing& ring, BufferId id, std::uint32_t offset, std::uint32_t length) noexcept
      : ring_(&ring), offset_(offset), length_(length), id_(id) {}

  BufferRing* ring_ = nullptr;
  std::uint32_t offset_ = 0;
  std::uint32_t length_ = 0;
  BufferId id_{};
};

/// How a BufferRing is made.
struct BufferRingOptions {
  std::uint16_t group = 1;   ///< the group id that SQEs name
  unsigned count = 1024;     ///< buffers; a power of two, at most 32768
  unsigned size = 16384;     ///< bytes a buffer
  bool incremental = false;  ///< IOU_PBUF_RING_INC (Linux 6.12)
};

/// The ring of provided buffers and the account of who holds them.
/// Lifetime: the memory outlives it; it outlives its leases and is made after, and dies before, its
/// Ring. Source: io_uring_setup_buf_ring(3), Linux 5.19.
/// @code
///   BufferRing buffers(ring, {.count = 256, .size = 4096}, memory);
///   // an SQE with IOSQE_BUFFER_SELECT and buf_group = buffers.group(); then, in its handler:
///   if (cqe.has_buffer()) outbox.push(buffers.lease(cqe));  // at home again when it is popped
/// @endcode
class BufferRing {
 public:
  /// Registers the ring and provides every buffer of `memory`.
  /// @param memory at least count * size bytes
  /// @throws std::system_error (EINVAL: before Linux 5.19; EEXIST: the group is taken)
  BufferRing(Ring& ring, const BufferRingOptions& options, std::span<std::byte> memory);
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  /// What a receive's CQE brought. The only place that reads a buffer id out of a CQE.
  /// REQUIRES: cqe.has_buffer(); each CQE once, in the order of arrival.
  BufferLease lease(const Cqe& cqe) noexcept;

  /// What a bundle's CQE brought: the buffer that it names and those that were provided after it,
  /// each filled to the length that its entry in the ring has. That is all of it, or less: a kernel
  /// shortens the entry of a buffer that it means to fill in part, and may then leave it for
  /// somebody else (Linux 6.10 to 7.0). Without bytes no buffer was taken, whatever the CQE names.
  /// REQUIRES: as lease(); not with incremental buffers, whose entries say what is left.
  /// @param take is given each BufferLease, in the order of the bytes
  template <class Take>
  void leases(const Cqe& cqe, Take take) noexcept {
    LAB_ASSERT(cqe.has_buffer());
    LAB_ASSERT(!incremental_);
    unsigned place = state_[cqe.flags >> IORING_CQE_BUFFER_SHIFT].place;
    for (std::int32_t left = cqe.res; left > 0; ++place) {
      // Read before it is taken: then another buffer may come to its place.
      const io_uring_buf entry = entry_at(place);
      const std::int32_t part = std::min(left, static_cast<std::int32_t>(entry.len));
      left -= part;
      take(lease(
          {.res = part,
           .flags = IORING_CQE_F_BUFFER | (std::uint32_t{entry.bid} << IORING_CQE_BUFFER_SHIFT)}));
    }
  }

  /// For those who keep accounts of their own: one more reads this buffer, one less does.
  void share(BufferId id) noexcept { ++state_[static_cast<std::uint16_t>(id)].slices; }
  /// One less reads it. After the last one the buffer is the kernel's again, as soon as the kernel
  /// writes no more into it.
  void give_back(BufferId id) noexcept;

  /// What an SQE names in buf_group.
  std::uint16_t group() const noexcept { return group_; }
  /// Buffers, free or not.
  unsigned count() const noexcept { return count_; }
  /// Bytes a buffer.
  unsigned size() const noexcept { return size_; }
  /// Buffers that the kernel may still fill.
  unsigned free() const noexcept { return free_; }
  /// Where the buffer begins, whoever has it now.
  std::byte* address(BufferId id) const noexcept {
    return memory_ + std::size_t{static_cast<std::uint16_t>(id)} * size_;
  }
  /// What the kernel reads: for tests that stand in its place.
  const io_uring_buf_ring* entries() const noexcept { return entries_; }

 private:
  struct State {
    std::uint32_t slices = 0;    ///< leases that are alive
    std::uint32_t filled = 0;    ///< where the next slice of an incremental buffer begins
    std::uint16_t place = 0;     ///< its entry in the ring, from when it was provided
    bool kernel_writes = false;  ///< true from then on until a CQE says that it is not filled more
  };

  const io_uring_buf& entry_at(unsigned place) const noexcept {
    return reinterpret_cast<const io_uring_buf*>(entries_)[place & (count_ - 1)];
  }
  bool next_place_is_free() const noexcept;
  void provide(BufferId id) noexcept;
  void take_home(BufferId id) noexcept;

  Ring& ring_;
  io_uring_buf_ring* entries_ = nullptr;
  std::byte* memory_;
  unsigned count_;
  unsigned size_;
  unsigned free_ = 0;
  std::uint16_t group_;
  bool incremental_;
  std::vector<State> state_;
  /// At home, and not in the ring yet: the next entry there belongs to a CQE that was not looked
  /// at.
  std::vector<BufferId> aside_;
};

inline std::span<std::byte> BufferLease::bytes() const noexcept {
  LAB_ASSERT(ring_ != nullptr);
  return {ring_->address(id_) + offset_, length_};
}

inline BufferLease BufferLease::rest_after(std::uint32_t count) noexcept {
  LAB_ASSERT(ring_ != nullptr);
  LAB_ASSERT(count < length_);
  ring_->share(id_);
  return {*ring_, id_, offset_ + count, length_ - count};
}

inline void BufferLease::reset() noexcept {
  if (ring_ != nullptr) std::exchange(ring_, nullptr)->give_back(id_);
}

}  // namespace lab
