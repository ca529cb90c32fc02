// The protocol that sends back what it gets: the received buffer itself goes out again.
#pragma once

#include <utility>

#include "03-network/lib/lease_queue.hpp"

namespace lab {

/// Pure bytes in, segments out: a protocol knows nothing of rings and sockets.
class Echo {
 public:
  void on_bytes(BufferLease bytes, LeaseQueue& outbox) noexcept { outbox.push(std::move(bytes)); }
};

}  // namespace lab
