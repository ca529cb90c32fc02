// Segments of one connection in order, without copying any: what waits to be sent, what waits to be
// looked at.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// The list nodes of all queues of a worker, allocated once. Their memory is touched when it is
/// first used, so a worker pays for as many as ever waited at once.
/// Lifetime: outlives its queues.
class SegmentNodes {
 public:
  explicit SegmentNodes(std::uint32_t size)
      : slots_(std::make_unique_for_overwrite<Slot[]>(size)), size_(size) {}

 private:
  friend class SegmentQueue;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  struct Node {
    Segment segment;
    std::uint32_t next = none;
  };
  union Slot {
    Slot() noexcept {}
    ~Slot() {}
    Node node;
  };

  Node& operator[](std::uint32_t index) noexcept { return slots_[index].node; }

  std::uint32_t take(Segment segment) noexcept {
    std::uint32_t index = free_;
    if (index != none) {
      free_ = slots_[index].node.next;
      slots_[index].node.segment = std::move(segment);
      slots_[index].node.next = none;
    } else {
      LAB_ASSERT(fresh_ < size_);
      index = fresh_++;
      ::new (static_cast<void*>(&slots_[index].node)) Node{std::move(segment), none};
    }
    return index;
  }

  Segment give_back(std::uint32_t index) noexcept {
    Node& node = slots_[index].node;
    node.next = free_;
    free_ = index;
    return std::move(node.segment);
  }

  std::unique_ptr<Slot[]> slots_;
  std::uint32_t size_;
  std::uint32_t fresh_ = 0;  ///< nodes from here on were never used
  std::uint32_t free_ = none;
};

/// A first-in, first-out queue of segments that knows its bytes, and whose buffers they are.
class SegmentQueue {
 public:
  explicit SegmentQueue(SegmentNodes& nodes) noexcept : nodes_(nodes) {}
  ~SegmentQueue() { clear(); }
  SegmentQueue(const SegmentQueue&) = delete;
  SegmentQueue& operator=(const SegmentQueue&) = delete;

  /// True without a segment.
  bool empty() const noexcept { return head_ == SegmentNodes::none; }
  /// One segment, no more.
  bool single() const noexcept { return !empty() && head_ == tail_; }
  /// Of all segments together.
  std::uint32_t bytes() const noexcept { return bytes_; }
  /// How many of its segments lie in receive buffers, and how many in pooled ones.
  std::uint32_t received() const noexcept { return received_; }
  /// Those in pooled buffers.
  std::uint32_t pooled() const noexcept { return pooled_; }
  /// How many are not a receive buffer's first: no number of buffers bounds how many there are.
  std::uint32_t others() const noexcept { return others_; }
  /// Behind all others. REQUIRES: a free node.
  void push(Segment segment) noexcept {
    account(segment, 1);
    const std::uint32_t node = nodes_.take(std::move(segment));
    (empty() ? head_ : nodes_[tail_].next) = node;
    tail_ = node;
  }

  /// For the rest of a short send: it goes out before everything else.
  void push_front(Segment segment) noexcept {
    account(segment, 1);
    const std::uint32_t node = nodes_.take(std::move(segment));
    nodes_[node].next = head_;
    if (empty()) tail_ = node;
    head_ = node;
  }

  /// The oldest. REQUIRES: not empty.
  const Segment& front() const noexcept {
    LAB_ASSERT(!empty());
    return nodes_[head_].segment;
  }

  /// Takes the oldest out. REQUIRES: not empty.
  Segment pop() noexcept {
    LAB_ASSERT(!empty());
    const std::uint32_t node = head_;
    head_ = nodes_[node].next;
    Segment segment = nodes_.give_back(node);
    account(segment, -1);
    return segment;
  }

  /// Drops what was sent: whole segments, and the front of the one that was cut.
  /// REQUIRES sent <= bytes().
  void consume(std::uint32_t sent) noexcept {
    LAB_ASSERT(sent <= bytes_);
    while (!empty() && sent >= front().size()) sent -= pop().size();
    if (sent > 0) {
      nodes_[head_].segment.drop_front(sent);
      bytes_ -= sent;
    }
  }

  /// Describes the first segments for a sendmsg.
  /// @return how many entries were filled; `bytes` is their sum
  unsigned gather(std::span<iovec> entries, std::uint32_t& bytes) const noexcept {
    return gather(entries, bytes, ~std::uint32_t{0});
  }
  /// Up to the first segment, but the front, of so many bytes: that one goes by itself.
  unsigned gather(std::span<iovec> entries, std::uint32_t& bytes,
                  std::uint32_t alone) const noexcept {
    unsigned filled = 0;
    bytes = 0;
    for (std::uint32_t node = head_; node != SegmentNodes::none && filled < entries.size();
         node = nodes_[node].next) {
      const Segment& segment = nodes_[node].segment;
      if (filled > 0 && segment.size() >= alone) break;
      // A send only reads, whatever iovec's type says.
      entries[filled++] = {const_cast<std::byte*>(segment.bytes().data()), segment.size()};
      bytes += segment.size();
    }
    return filled;
  }

  /// Drops all; their buffers are home, unless somebody else reads them.
  void clear() noexcept {
    while (!empty()) pop();
  }

 private:
  void account(const Segment& segment, int one) noexcept {
    bytes_ += one > 0 ? segment.size() : 0U - segment.size();
    const SegmentKind kind = segment.kind();
    if (kind == SegmentKind::received) received_ = static_cast<std::uint16_t>(received_ + one);
    if (kind == SegmentKind::pooled) pooled_ = static_cast<std::uint8_t>(pooled_ + one);
    if (kind != SegmentKind::received || segment.is_piece()) {
      others_ = static_cast<std::uint8_t>(others_ + one);
    }
  }

  SegmentNodes& nodes_;
  std::uint32_t head_ = SegmentNodes::none;
  std::uint32_t tail_ = SegmentNodes::none;
  std::uint32_t bytes_ = 0;
  std::uint16_t received_ = 0;
  std::uint8_t pooled_ = 0;
  std::uint8_t others_ = 0;
};
static_assert(sizeof(SegmentQueue) == 24);

}  // namespace lab
