// A worker's memory: one arena, and the pools that its connections share. All of it is allocated
// at the start.
//
// Lifetime: after its ring and before its connections.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "01-core/lib/features.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/send.hpp"
#include "05-performance/lib/slab_pool.hpp"
#include "06-server/lib/engine/segment_queue.hpp"
#include "06-server/lib/engine/sender.hpp"
#include "06-server/lib/engine/worker_buffers.hpp"
#include "06-server/lib/engine/worker_options.hpp"

namespace lab {

/// Client: the connection. UsesBuffers: its protocol writes into pooled buffers.
template <class Client, bool UsesBuffers>
class WorkerMemory {
 public:
  /// @throws std::system_error, std::bad_alloc
  WorkerMemory(Ring& ring, const WorkerOptions& options)
      : ring_(ring),
        arena_(received_bytes(options) + pooled_bytes(options)),
        buffers(ring,
                {.group = options.buffer_group,
                 .count = options.buffer_count,
                 .size = options.buffer_size},
                arena_.memory()),
        received(buffers),
        pooled(arena_.memory().subspan(received_bytes(options)), pooled_count(options),
               options.pooled_size),
        segment_nodes(nodes(options)),
        gather_lists(gather_lists_max),
        zero_copy_sends(zero_copy_sends_max) {}
  WorkerMemory(const WorkerMemory&) = delete;
  WorkerMemory& operator=(const WorkerMemory&) = delete;

  /// What the arena is made of, in words, for the log.
  const char* pages_name() const noexcept { return arena_.pages_name(); }

  /// The same memory twice: provided for receiving, registered for zero-copy sending, so that a
  /// send pins nothing. Not with huge pages: a send from a registered one is charged to the socket
  /// as if it began at the huge page's first byte, up to 2 MiB for 16 KiB, and the send buffer is
  /// full after a few (seen on 6.18: 6 MB charged for 54 KB).
  void register_arena() noexcept {
    if (arena_.pages() != HugeArena::Pages::plain) return;
    const std::span<std::byte> memory = arena_.memory();
    const iovec whole{memory.data(), memory.size()};
    registered_error_ = -io_uring_register_buffers(ring_.raw(), &whole, 1);
    registered_ = registered_error_ == 0;
  }
  /// True when zero-copy sends find the arena registered.
  bool registered() const noexcept { return registered_; }
  /// errno of register_arena().
  int registered_error() const noexcept { return registered_error_; }

 private:
  static constexpr unsigned zero_copy_sends_max = 1024;
  static constexpr unsigned gather_lists_max = 256;

  static std::size_t received_bytes(const WorkerOptions& options) noexcept {
    return std::size_t{options.buffer_count} * options.buffer_size;
  }
  static unsigned pooled_count(const WorkerOptions& options) noexcept {
    return UsesBuffers ? options.pooled_count : 0;
  }
  static std::size_t pooled_bytes(const WorkerOptions& options) noexcept {
    return std::size_t{pooled_count(options)} * options.pooled_size;
  }
  // One for each receive buffer and each zero-copy send, and what a connection may have of others,
  // the rest of one that was sent in part, and what its protocol gave back of a segment that it
  // cut: so it never runs dry.
  static std::uint32_t nodes(const WorkerOptions& options) noexcept {
    const std::uint32_t others =
        UsesBuffers ? options.connections_max * (Sender<Client>::others_max + 2) : 0;
    return options.buffer_count + zero_copy_sends_max + others;
  }

  Ring& ring_;
  HugeArena arena_;
  int registered_error_ = 0;
  bool registered_ = false;

 public:
  BufferRing buffers;                 ///< what receives take from
  ReceivedBuffers received;           ///< the same, as owner of the segments that were received
  PooledBuffers pooled;               ///< for answers and files; none where the protocol uses none
  SegmentNodes segment_nodes;         ///< of all queues of all connections
  SlabPool<GatherList> gather_lists;  ///< one for each gathered send in flight
  SlabPool<ZeroCopySend<Client>> zero_copy_sends;  ///< one until its notification has come
};

}  // namespace lab
