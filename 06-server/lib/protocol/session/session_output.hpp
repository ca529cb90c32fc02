// What a session writes until the hook ends, in one pooled buffer: many small writes are one
// segment.
//
// Lifetime: its session's. Rule: it has a buffer within a hook alone, since others wait for one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/session/hook_io.hpp"

namespace lab {

/// The buffer that is being filled, or none.
class SessionOutput {
 public:
  /// What has become of a wish for space.
  enum class Space : std::uint8_t {
    there,  ///< space() is large enough
    none,   ///< on_turn() follows when there may be some
    never   ///< no buffer is so large
  };

  /// So many bytes of space behind what is written.
  Space make_space(HookIo& io, std::size_t bytes) noexcept {
    if (buffer_ && space().size() >= bytes) return Space::there;
    flush(io);
    if (io.room() == 0) return Space::none;
    buffer_ = io.take_buffer();
    if (!buffer_) return Space::none;
    return space().size() >= bytes ? Space::there : Space::never;
  }
  /// Behind what is written, to the buffer's end. Valid until the next flush().
  std::span<std::byte> space() const noexcept { return buffer_.space().subspan(used_); }
  /// So much of the space is written. REQUIRES: it is there.
  void advance(std::size_t count) noexcept {
    LAB_ASSERT(count <= space().size());
    used_ += static_cast<std::uint32_t>(count);
  }

  /// @return how many of the bytes found space; none: on_turn() follows when there may be some
  std::size_t copy(HookIo& io, std::span<const std::byte> bytes) noexcept {
    if (bytes.empty() || make_space(io, 1) != Space::there) return 0;
    const std::size_t count = std::min(bytes.size(), space().size());
    std::memcpy(space().data(), bytes.data(), count);
    advance(count);
    return count;
  }

  /// Sends what is written, and lets the buffer go.
  void flush(HookIo& io) noexcept {
    if (used_ > 0) io.send(std::move(buffer_).filled(std::exchange(used_, 0)));
    buffer_ = {};
  }
  /// Forgets what is written: it is not sent.
  void drop() noexcept {
    used_ = 0;
    buffer_ = {};
  }

 private:
  PooledBuffer buffer_;
  std::uint32_t used_ = 0;  ///< bytes
};

}  // namespace lab
