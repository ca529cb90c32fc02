// What has come for a session: first the segments that its code has, then those that it has not
// asked for yet. One array, so what is handed out is a span.
//
// Lifetime: its session's. Rule: it keeps few; whatever is more stays with the engine, which makes
// the peer wait.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// Up to a fixed number of segments, oldest first.
class SessionInput {
 public:
  /// Segments that it keeps at the most.
  static constexpr std::size_t segments_max = 8;

  /// False: there is no room for it now. A pooled buffer (TLS decrypts into those) is kept alone:
  /// no engine sees who has them.
  bool push(Segment& bytes) noexcept {
    const std::size_t max = bytes.kind() == SegmentKind::pooled ? given_ + 1 : segments_max;
    if (count_ >= std::min(max, segments_max)) return false;
    segments_[count_++] = std::move(bytes);
    return true;
  }

  /// What was handed out is given up, what has come since is handed out.
  std::span<Segment> take() noexcept {
    give_up();
    given_ = count_;
    return std::span(segments_).first(given_);
  }
  /// What the code had and left there goes home.
  void give_up() noexcept {
    if (given_ == 0) return;
    const auto begin = segments_.begin();
    for (Segment& segment : std::span(segments_).first(given_)) segment.reset();
    std::move(begin + given_, begin + count_, begin);
    count_ = static_cast<std::uint8_t>(count_ - given_);
    given_ = 0;
  }
  /// Everything goes home.
  void clear() noexcept {
    given_ = count_;
    give_up();
  }

  /// Something has come that was not handed out.
  bool anything_new() const noexcept { return count_ > given_; }
  /// Receive buffers that are not home because of it.
  std::uint32_t leases() const noexcept {
    const auto kept = std::span(segments_).first(count_);
    return static_cast<std::uint32_t>(
        std::count_if(kept.begin(), kept.end(),
                      [](const Segment& one) { return one.kind() == SegmentKind::received; }));
  }

 private:
  std::array<Segment, segments_max> segments_;
  std::uint8_t given_ = 0;  ///< the first so many are with the session's code
  std::uint8_t count_ = 0;
};

}  // namespace lab
