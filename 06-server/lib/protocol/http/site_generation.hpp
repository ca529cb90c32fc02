// One state of a site, and who still sends from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// Counts the segments of one worker that show into a generation of the site: it is their owner, so
/// the count is right through short sends, zero copy and resets.
/// Lifetime: until it is no longer the current one and in_use() is 0. The site outlives it.
/// @code
///   shared.replace(next);                        // new answers come from the next
///   if (old.in_use() == 0) ...                   // the last answer of the old has left
/// @endcode
template <class Site>
class SiteGeneration : public SegmentOwner {
 public:
  explicit SiteGeneration(const Site& site) noexcept
      : SegmentOwner(
            SegmentKind::stable,
            [](SegmentOwner& self, std::uint32_t) noexcept { ++as_generation(self).in_use_; },
            [](SegmentOwner& self, std::uint32_t) noexcept { --as_generation(self).in_use_; }),
        site_(site) {}
  ~SiteGeneration() { LAB_ASSERT(in_use_ == 0); }

  const Site& site() const noexcept { return site_; }
  std::uint32_t in_use() const noexcept { return in_use_; }

  /// @param bytes of the site's; less than 2 GiB. Without any, it keeps the generation alive.
  Segment segment(std::span<const std::byte> bytes) noexcept {
    LAB_ASSERT(bytes.size() < std::size_t{1} << 31U);
    ++in_use_;
    return {*this, 0, bytes};
  }

 private:
  static SiteGeneration& as_generation(SegmentOwner& self) noexcept {
    return static_cast<SiteGeneration&>(self);
  }

  const Site& site_;
  std::uint32_t in_use_ = 0;
};

}  // namespace lab
