// Deadlines of a protocol, in an engine's ticks, which wrap.
#pragma once

#include <cstdint>

#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// The tick so many milliseconds from now; never no_deadline.
std::uint32_t deadline_after(const auto& io, std::uint32_t milliseconds) noexcept {
  const std::uint32_t tick = io.tick() + milliseconds / protocol_tick_ms;
  return tick == no_deadline ? tick + 1 : tick;
}

/// @param deadline within 2^31 ticks of now, or no_deadline, which never is
bool is_over(const auto& io, std::uint32_t deadline) noexcept {
  return deadline != no_deadline && static_cast<std::int32_t>(io.tick() - deadline) >= 0;
}

}  // namespace lab
