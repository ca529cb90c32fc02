// The protocol that sends back what it gets: the received buffer itself goes out again.
#pragma once

#include <utility>

#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Keeps nothing, so it is always idle. A peer that does not read is made to wait by the engine,
/// which counts the buffers that wait to be sent.
struct Echo : ProtocolDefaults {
  explicit Echo(Shared&) noexcept {}
  void on_bytes(auto& io, Segment bytes) noexcept {
    io.pace();
    io.send(std::move(bytes));
  }
};
static_assert(Protocol<Echo>);

}  // namespace lab
