// Whose bytes a worker's segments are: the receive buffers, and pooled buffers for what protocols
// write (pooled_buffers.hpp). One arena for both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "03-network/lib/buffer_ring.hpp"
#include "06-server/lib/engine/pooled_buffers.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// Turns leases into segments. Lifetime: its BufferRing outlives it.
class ReceivedBuffers final : public SegmentOwner {
 public:
  explicit ReceivedBuffers(BufferRing& ring) noexcept
      : SegmentOwner(SegmentKind::received, &on_share, &on_give_back), ring_(ring) {}

  /// The lease's slice, which goes home with the segment. Takes no memory.
  Segment segment(BufferLease lease) noexcept {
    const std::span<std::byte> bytes = lease.bytes();
    return {*this, static_cast<std::uint32_t>(lease.release()), bytes};
  }

 private:
  static BufferRing& ring(SegmentOwner& owner) noexcept {
    return static_cast<ReceivedBuffers&>(owner).ring_;
  }
  static void on_share(SegmentOwner& owner, std::uint32_t id) noexcept {
    ring(owner).share(static_cast<BufferId>(id));
  }
  static void on_give_back(SegmentOwner& owner, std::uint32_t id) noexcept {
    ring(owner).give_back(static_cast<BufferId>(id));
  }

  BufferRing& ring_;
};

}  // namespace lab
