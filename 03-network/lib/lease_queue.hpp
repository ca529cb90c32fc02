// The bytes that wait to be sent on one stream, in order, without copying any: a list of leases.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "03-network/lib/buffer_ring.hpp"

namespace lab {

/// The list nodes of all queues of a worker, allocated once.
/// Lifetime: outlives its queues. It never runs dry when it has one node per buffer and one per
/// zero-copy send, for a lease stands in one queue at the most.
class LeasePool {
 public:
  explicit LeasePool(std::uint32_t size);

 private:
  friend class LeaseQueue;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  struct Node {
    BufferLease lease;
    std::uint32_t next = none;
  };

  std::uint32_t take(BufferLease lease) noexcept;
  BufferLease give_back(std::uint32_t node) noexcept;

  std::vector<Node> nodes_;
  std::uint32_t free_ = none;
};

/// A first-in, first-out queue of leases that knows its bytes.
/// @code
///   LeaseQueue outbox(pool);
///   outbox.push(buffers.lease(cqe));  // in on_recv
///   outbox.consume(sent);             // in on_send: what left the front is home again
/// @endcode
class LeaseQueue {
 public:
  explicit LeaseQueue(LeasePool& pool) noexcept : pool_(pool) {}
  ~LeaseQueue() { clear(); }
  LeaseQueue(const LeaseQueue&) = delete;
  LeaseQueue& operator=(const LeaseQueue&) = delete;

  /// True when no lease is in it.
  bool empty() const noexcept { return head_ == LeasePool::none; }
  /// Leases.
  std::uint32_t count() const noexcept { return count_; }
  /// Of all leases together.
  std::uint32_t bytes() const noexcept { return bytes_; }

  /// Behind all others. REQUIRES: a lease of something, and a free node in the pool.
  void push(BufferLease lease) noexcept;
  /// For the rest of a short send: it goes out before everything else.
  void push_front(BufferLease lease) noexcept;

  /// The oldest. REQUIRES: not empty.
  const BufferLease& front() const noexcept;
  /// Takes the oldest out. REQUIRES: not empty.
  BufferLease pop() noexcept;

  /// Drops what was sent: whole leases, and the front of the one that was cut.
  /// REQUIRES sent <= bytes().
  void consume(std::uint32_t sent) noexcept;

  /// Describes the first leases for a sendmsg.
  /// @return how many entries were filled; `bytes` is their sum
  unsigned gather(std::span<iovec> entries, std::uint32_t& bytes) const noexcept;

  /// Gives every lease back.
  void clear() noexcept;

 private:
  LeasePool& pool_;
  std::uint32_t head_ = LeasePool::none;
  std::uint32_t tail_ = LeasePool::none;
  std::uint32_t count_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace lab
