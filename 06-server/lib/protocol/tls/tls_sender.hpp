// What a protocol sends over TLS, until it is encrypted: in order, in records of a good size.
//
// Lifetime: its Tls's. Rule: called within a TlsBio::Hook.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"
#include "06-server/lib/protocol/tls/tls_session.hpp"

namespace lab {

/// A few segments, oldest first.
class TlsSender {
 public:
  /// True when everything was encrypted.
  bool empty() const noexcept { return count_ == 0; }
  /// OpenSSL could not encrypt: the connection is of no more use.
  bool failed() const noexcept { return failed_; }

  /// Behind all others, and at once as far as there is space. REQUIRES: io.room() was above 0.
  void push(auto& io, TlsSession& session, Segment bytes) noexcept {
    LAB_ASSERT(count_ < segments_max);  // a protocol asks for room()
    segments_[count_++] = std::move(bytes);
    send(io, session);
  }

  /// What lies in a buffer that others may wait for is encrypted whatever happens; other memory has
  /// time until there are buffers.
  void send(auto& io, TlsSession& session) noexcept {
    std::size_t sent = 0;
    while (sent < count_ && !failed_) {
      Segment& front = segments_[sent];
      const auto wanted = std::min(front.size() + frame_max, buffer_wanted);
      const std::uint32_t space =
          session.bio().blocked() || io.room() == 0 ? 0 : session.bio().space(wanted);
      if (space == 0 && front.kind() == SegmentKind::stable) break;
      send_record(session, front, record_size(io.tick(), space));
      if (!front.empty()) continue;
      front.reset();
      ++sent;
    }
    std::move(segments_.begin() + sent, segments_.begin() + count_, segments_.begin());
    count_ = static_cast<std::uint8_t>(count_ - sent);
  }

  /// Drops what was not encrypted.
  void clear() noexcept {
    for (Segment& segment : segments_) segment.reset();
    count_ = 0;
  }

 private:
  static constexpr std::size_t segments_max = 8;
  // A record can be read when it is there as a whole. So the first ones fit into a segment of TCP
  // each; those that follow are as large as a pooled buffer takes with their frame.
  static constexpr std::uint32_t record_first = 1400;
  static constexpr std::uint32_t frame_max = 64;  // TLS 1.2 has 29 bytes, TLS 1.3 22
  static constexpr std::uint32_t record_max = 16384 - frame_max;
  static constexpr std::uint32_t buffer_wanted = 512;     // with less left, a new one is begun
  static constexpr std::uint32_t grown_after = 64 << 10;  // bytes
  static constexpr std::uint32_t pause_ticks = 1000 / protocol_tick_ms;  // then it begins anew

  void send_record(TlsSession& session, Segment& front, std::uint32_t size_max) noexcept {
    const std::uint32_t size = std::min(front.size(), size_max);
    failed_ = session.write(front.bytes().first(size)) != TlsSession::Step::done;
    front.drop_front(size);
    sent_ += size;
  }

  std::uint32_t record_size(std::uint32_t now, std::uint32_t space) noexcept {
    if (now - std::exchange(tick_, now) > pause_ticks) sent_ = 0;
    if (space == 0) return record_max;
    const std::uint32_t size = sent_ < grown_after ? record_first : record_max;
    return space > 2 * frame_max ? std::min(size, space - frame_max) : size;
  }

  std::array<Segment, segments_max> segments_;  ///< the first count_ of them wait
  std::uint64_t sent_ = 0;                      ///< bytes since the latest pause
  std::uint32_t tick_ = 0;
  std::uint8_t count_ = 0;
  bool failed_ = false;
};

}  // namespace lab
