// How often something may happen: GCRA, the generic cell rate algorithm. It decides as a token
// bucket does, and all that it remembers of a client is one time.
//
// That time is when the client would be due if it kept to the rate exactly. Whoever is early by no
// more than a burst conforms; each thing that is counted moves the time on by one interval. Times
// are nanoseconds of any clock that does not go back; they may wrap, as only differences count.
#pragma once

#include <cstdint>

#include "01-core/lib/assert.hpp"

namespace lab {

/// A rate and a burst. A value: what is remembered of a client is with the client.
class RateLimit {
 public:
  /// @param per_second 1 to 1,000,000 in the long run
  /// @param burst at least 1: so many at once from a client that was quiet
  RateLimit(std::uint32_t per_second, std::uint32_t burst) noexcept
      : interval_ns_(1'000'000'000 / per_second), early_max_ns_(interval_ns_ * (burst - 1)) {
    LAB_ASSERT(per_second <= 1'000'000);
    LAB_ASSERT(burst >= 1);
  }

  /// True when one more is allowed now.
  /// @param due_ns what is remembered of the client
  bool conforms(std::uint64_t due_ns, std::uint64_t now_ns) const noexcept {
    return wait_ns(due_ns, now_ns) == 0;
  }
  /// The time that stands for one more.
  std::uint64_t count(std::uint64_t due_ns, std::uint64_t now_ns) const noexcept {
    return (early_ns(due_ns, now_ns) > 0 ? due_ns : now_ns) + interval_ns_;
  }
  /// Nanoseconds until one more conforms. Where only what conforms is counted, at most an interval.
  std::uint64_t wait_ns(std::uint64_t due_ns, std::uint64_t now_ns) const noexcept {
    const std::uint64_t early = early_ns(due_ns, now_ns);
    return early > early_max_ns_ ? early - early_max_ns_ : 0;
  }
  /// Counts one more if it conforms.
  bool admit(std::uint64_t& due_ns, std::uint64_t now_ns) const noexcept {
    if (!conforms(due_ns, now_ns)) return false;
    due_ns = count(due_ns, now_ns);
    return true;
  }

  /// How far the time is ahead. 0: it says nothing any more, and may be forgotten.
  static std::uint64_t early_ns(std::uint64_t due_ns, std::uint64_t now_ns) noexcept {
    const auto early = static_cast<std::int64_t>(due_ns - now_ns);
    return early > 0 ? static_cast<std::uint64_t>(early) : 0;
  }

 private:
  std::uint64_t interval_ns_;
  std::uint64_t early_max_ns_;
};

}  // namespace lab
