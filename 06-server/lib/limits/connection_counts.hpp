// How many connections each client has. Fixed memory: there are never more clients than
// connections.
//
// A client's place is the first free one from where its hash points on. Who leaves moves those
// behind it up, so a search ends at the first free place. Nobody who does not know the hash's key
// can choose where he stands.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/limits/rate_table.hpp"

namespace lab {

/// One worker's. All of its memory is taken at the start.
class ConnectionCounts {
 public:
  /// @param connections_max of all clients together
  explicit ConnectionCounts(std::uint32_t connections_max)
      : mask_(std::bit_ceil(2 * std::size_t{connections_max}) - 1), places_(mask_ + 1) {}

  /// Connections that the client has now.
  std::uint32_t of(ClientId client) const noexcept { return places_[find(client)].count; }
  /// REQUIRES: fewer than connections_max are counted.
  void enter(ClientId client) noexcept {
    Place& place = places_[find(client)];
    place.client = client;
    ++place.count;
  }
  /// REQUIRES: it has entered.
  void leave(ClientId client) noexcept {
    std::size_t free = find(client);
    LAB_ASSERT(places_[free].count > 0);
    if (--places_[free].count > 0) return;
    // Whoever stands behind the free place, and whose search begins in front of it or there.
    for (std::size_t at = next(free); places_[at].count > 0; at = next(at)) {
      const std::size_t wanted = home(places_[at].client);
      if (((at - wanted) & mask_) < ((at - free) & mask_)) continue;
      places_[free] = places_[at];
      places_[at].count = 0;
      free = at;
    }
  }

 private:
  struct Place {
    ClientId client{};
    std::uint32_t count = 0;  ///< 0: it is free
  };

  std::size_t home(ClientId client) const noexcept {
    return static_cast<std::size_t>(client) & mask_;
  }
  std::size_t next(std::size_t place) const noexcept { return (place + 1) & mask_; }
  // Its place, or the free one where it belongs.
  std::size_t find(ClientId client) const noexcept {
    std::size_t place = home(client);
    while (places_[place].count > 0 && places_[place].client != client) place = next(place);
    return place;
  }

  std::size_t mask_;
  std::vector<Place> places_;
};

}  // namespace lab
