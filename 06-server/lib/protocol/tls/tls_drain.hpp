// The end of a TLS connection in a drain: it ends itself, with a close_notify, when it has rested
// for a while.
#pragma once

#include <cstdint>

#include "06-server/lib/protocol/deadlines.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// When it may end. Lifetime: its connection's.
class TlsDrain {
 public:
  /// The server ends.
  void begin(const auto& io) noexcept {
    begun_ = true;
    note_bytes(io);
  }
  /// Bytes have come: it does not rest.
  void note_bytes(const auto& io) noexcept { due_ = deadline_after(io, rest_ms); }
  bool begun() const noexcept { return begun_; }  ///< the server ends
  /// It has rested for long enough, if it rests.
  bool is_due(const auto& io) const noexcept { return begun_ && is_over(io, due_); }
  /// @param other a deadline, or no_deadline
  /// @return whichever is earlier
  std::uint32_t or_sooner(std::uint32_t other) const noexcept {
    if (!begun_) return other;
    if (other == no_deadline) return due_;
    return static_cast<std::int32_t>(other - due_) < 0 ? other : due_;
  }

 private:
  static constexpr std::uint32_t rest_ms = 200;

  std::uint32_t due_ = 0;  ///< tick
  bool begun_ = false;
};

}  // namespace lab
