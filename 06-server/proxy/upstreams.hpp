// Which upstream is next: in turn, or the one with the fewest connections; who has failed is left
// alone for a while.
//
// Lifetime: a worker's; it outlives its connections. Pure: it knows no socket, and time is a
// parameter.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/dialling.hpp"

namespace lab {

enum class Balance : std::uint8_t { round_robin, fewest };

/// Times are ticks, which wrap.
class Upstreams {
  struct One {
    SocketAddress address;
    unsigned connections = 0;  ///< of this worker
    std::uint32_t rests_until = 0;
    bool rests = false;
  };

 public:
  static constexpr std::size_t upstreams_max = 64;
  /// Those that one client was sent to, one bit each.
  using Tried = std::uint64_t;

  /// @param rest_ticks for so long nobody is sent to an upstream that has failed, while there are
  /// others
  Upstreams(std::vector<SocketAddress> addresses, Balance balance, std::uint32_t rest_ticks)
      : balance_(balance), rest_ticks_(rest_ticks) {
    LAB_ASSERT(!addresses.empty());
    LAB_ASSERT(addresses.size() <= upstreams_max);
    for (const SocketAddress& address : addresses) all_.push_back({.address = address});
  }

  /// @param tried the one that is picked is added to it
  /// @return nothing when all were tried. One that rests comes after all that do not: when nobody
  /// else is left it may have come back
  std::optional<std::size_t> pick(Tried& tried, std::uint32_t now) noexcept {
    std::optional<std::size_t> best;
    for (std::size_t step = 0; step < all_.size(); ++step) {
      const std::size_t index = (next_ + step) % all_.size();
      wake(all_[index], now);
      if ((tried >> index & 1U) != 0) continue;
      if (!best || is_better(all_[index], all_[*best])) best = index;
    }
    if (!best) return {};
    tried |= Tried{1} << *best;
    next_ = (*best + 1) % all_.size();
    return best;
  }
  void failed(std::size_t index, std::uint32_t now) noexcept {
    all_[index].rests = true;
    all_[index].rests_until = now + rest_ticks_;
  }
  void succeeded(std::size_t index) noexcept { all_[index].rests = false; }

  std::size_t size() const noexcept { return all_.size(); }
  const SocketAddress& address(std::size_t index) const noexcept { return all_[index].address; }
  bool rests(std::size_t index) const noexcept { return all_[index].rests; }
  unsigned connections(std::size_t index) const noexcept { return all_[index].connections; }

  /// One connection more, for as long as this lives.
  class Use {
   public:
    Use(Upstreams& upstreams, std::size_t index) noexcept : one_(upstreams.all_[index]) {
      ++one_.connections;
    }
    ~Use() { --one_.connections; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    One& one_;
  };

 private:
  static void wake(One& one, std::uint32_t now) noexcept {
    if (static_cast<std::int32_t>(now - one.rests_until) >= 0) one.rests = false;
  }
  // The first one of equals stands for the one whose turn it is.
  bool is_better(const One& one, const One& than) const noexcept {
    if (one.rests != than.rests) return !one.rests;
    return balance_ == Balance::fewest && one.connections < than.connections;
  }

  std::vector<One> all_;
  Balance balance_;
  std::uint32_t rest_ticks_;
  std::size_t next_ = 0;
};

}  // namespace lab
