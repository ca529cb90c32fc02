// Bytes that stay where they are until the segment dies; then whoever owns their memory is told.
//
// Lifetime: a segment dies before its owner. Rule: it is moved, never copied; a second one of the
// same memory is made by rest_after() alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"

namespace lab {

/// Where a segment's bytes lie.
enum class SegmentKind : std::uint8_t {
  stable,    ///< in memory that outlives the server: nobody is told
  received,  ///< in a buffer that the kernel filled
  pooled     ///< in a buffer of the worker's that a protocol filled
};

/// Memory that is handed out in pieces with a number each. An engine derives from it and gives the
/// two functions; a table of two is all that "virtual" would be, and needs no heap.
/// Lifetime: outlives its segments.
class SegmentOwner {
 public:
  /// One more segment reads the memory of this id, or one less does.
  using Change = void (*)(SegmentOwner&, std::uint32_t id) noexcept;

  /// @param on_share called by rest_after()
  /// @param on_give_back called when a segment dies
  SegmentOwner(SegmentKind what, Change on_share, Change on_give_back) noexcept
      : share_(on_share), give_back_(on_give_back), kind_(what) {}
  SegmentOwner(const SegmentOwner&) = delete;
  SegmentOwner& operator=(const SegmentOwner&) = delete;

  /// Whose its memory is.
  SegmentKind kind() const noexcept { return kind_; }
  /// One more segment reads piece `id`.
  void share(std::uint32_t id) noexcept { share_(*this, id); }
  /// One segment less does.
  void give_back(std::uint32_t id) noexcept { give_back_(*this, id); }

 protected:
  ~SegmentOwner() = default;

 private:
  Change share_;
  Change give_back_;
  SegmentKind kind_;
};

/// The right to read some bytes, wherever they lie. A short send, a gather, a zero-copy send and a
/// reset are written once, for all kinds.
/// @code
///   io.send(std::move(bytes));                       // what was received goes out again
///   io.send(Segment::stable(text));                  // what never changes
///   io.send(std::move(buffer).filled(count));        // what was written into a pooled buffer
/// @endcode
class Segment {
 public:
  Segment() noexcept = default;
  /// For engines: `bytes` lie in piece `id` of `owner`, whose account says so already.
  Segment(SegmentOwner& owner, std::uint32_t id, std::span<const std::byte> bytes) noexcept
      : data_(bytes.data()),
        owner_(&owner),
        size_(static_cast<std::uint32_t>(bytes.size())),
        id_(id & id_max) {
    LAB_ASSERT(id <= id_max);
  }
  /// @param bytes they outlive the server and never change; less than 2 GiB
  static Segment stable(std::span<const std::byte> bytes) noexcept {
    LAB_ASSERT(bytes.size() < std::size_t{1} << 31U);
    Segment segment;
    segment.data_ = bytes.data();
    segment.size_ = static_cast<std::uint32_t>(bytes.size());
    return segment;
  }
  ~Segment() { reset(); }
  Segment(Segment&& other) noexcept
      : data_(other.data_),
        owner_(std::exchange(other.owner_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        id_(other.id_),
        piece_(other.piece_) {}
  Segment& operator=(Segment&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = other.data_;
      owner_ = std::exchange(other.owner_, nullptr);
      size_ = std::exchange(other.size_, 0);
      id_ = other.id_;
      piece_ = other.piece_;
    }
    return *this;
  }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  /// They stay as they are as long as the segment. Empty for an empty one.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  /// Bytes.
  std::uint32_t size() const noexcept { return size_; }
  /// True without a byte; such a one may still keep its owner's memory.
  bool empty() const noexcept { return size_ == 0; }
  /// Whose its bytes are.
  SegmentKind kind() const noexcept {
    return owner_ != nullptr ? owner_->kind() : SegmentKind::stable;
  }

  /// Made by rest_after(): one of several that read the same buffer. Of those that are not, there
  /// are as many as buffers.
  bool is_piece() const noexcept { return piece_ != 0; }

  /// Forgets the first `count` bytes. REQUIRES count <= size().
  void drop_front(std::uint32_t count) noexcept {
    LAB_ASSERT(count <= size_);
    data_ += count;
    size_ -= count;
  }
  /// Forgets all but the first `count` bytes. REQUIRES count <= size().
  void keep_front(std::uint32_t count) noexcept {
    LAB_ASSERT(count <= size_);
    size_ = count;
  }

  /// A second segment: all but the first `count` bytes of this one, which keeps everything.
  /// REQUIRES count <= size().
  Segment rest_after(std::uint32_t count) const noexcept {
    LAB_ASSERT(count <= size_);
    if (owner_ != nullptr) owner_->share(id_);
    Segment rest;
    rest.data_ = data_ + count;
    rest.owner_ = owner_;
    rest.size_ = size_ - count;
    rest.id_ = id_;
    rest.piece_ = 1;
    return rest;
  }

  /// Gives the bytes up. After it the segment is empty.
  void reset() noexcept {
    size_ = 0;
    if (owner_ != nullptr) std::exchange(owner_, nullptr)->give_back(id_);
  }

 private:
  static constexpr std::uint32_t id_max = ~std::uint32_t{0} >> 1;

  const std::byte* data_ = nullptr;
  SegmentOwner* owner_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t id_ : 31 = 0;
  std::uint32_t piece_ : 1 = 0;
};

static_assert(sizeof(Segment) == 24);

/// An empty buffer of the worker's to write into. It becomes a segment, or goes home when it dies.
class PooledBuffer {
 public:
  PooledBuffer() noexcept = default;
  /// For engines: piece `id` of `owner`, whose account says that one reads it.
  PooledBuffer(SegmentOwner& owner, std::uint32_t id, std::span<std::byte> space) noexcept
      : space_(space.data()), memory_(owner, id, space) {}
  PooledBuffer(PooledBuffer&& other) noexcept
      : space_(std::exchange(other.space_, nullptr)), memory_(std::move(other.memory_)) {}
  PooledBuffer& operator=(PooledBuffer&& other) noexcept {
    space_ = std::exchange(other.space_, nullptr);
    memory_ = std::move(other.memory_);
    return *this;
  }
  PooledBuffer(const PooledBuffer&) = delete;
  PooledBuffer& operator=(const PooledBuffer&) = delete;

  /// False for none: there was no buffer.
  explicit operator bool() const noexcept { return space_ != nullptr; }
  /// The whole buffer, to be written to. Valid until filled().
  std::span<std::byte> space() const noexcept { return {space_, memory_.size()}; }

  /// Its first `count` bytes as a segment; the buffer is used up. REQUIRES count <= space().size().
  Segment filled(std::uint32_t count) && noexcept {
    space_ = nullptr;
    memory_.keep_front(count);
    return std::move(memory_);
  }

 private:
  std::byte* space_ = nullptr;
  Segment memory_;
};

}  // namespace lab
