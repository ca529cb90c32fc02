// Who may be in a handshake, and whose goes on in this turn: a stranger can ask for either for
// nothing, and whoever is inside shall not feel it.
//
// Lifetime: a worker's. A place that waits stays where it is.
#pragma once

#include <optional>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// A connection's place in a line.
struct TlsPlace {
  ListLink<TlsPlace> link;     ///< null on both sides: it waits for nothing
  std::optional<Waker> waker;  ///< of its connection, while it waits
  bool called = false;         ///< it was woken, and has not said what it does with that
};

/// Who waits, first come, first served.
class TlsLine {
 public:
  /// True when nobody waits.
  bool empty() const noexcept { return line_.empty(); }
  /// True while this one waits.
  bool contains(const TlsPlace& place) const noexcept { return line_.contains(place); }
  /// Behind all others, unless it waits already.
  void join(TlsPlace& place, Waker waker) noexcept {
    place.waker = waker;
    if (!line_.contains(place)) line_.push_back(place);
  }
  /// It wants nothing any more. As often as one likes.
  void leave(TlsPlace& place) noexcept {
    if (line_.contains(place)) line_.remove(place);
  }
  /// @return whoever was woken; null: nobody waits
  TlsPlace* wake_first() noexcept {
    TlsPlace* const first = line_.front();
    if (first == nullptr) return nullptr;
    line_.remove(*first);
    first->called = true;
    first->waker->wake();
    return first;
  }

 private:
  IntrusiveList<TlsPlace, &TlsPlace::link> line_;
};

/// So many handshakes at once: each takes memory. And one step of one of them in each turn of the
/// worker: it may be the one that signs, which takes as long as a hundred answers. Those that are
/// open already then wait for one of them and not for all.
class Handshakes {
 public:
  /// A connection's. It waits at most in one of the two lines.
  struct Place : TlsPlace {
    bool inside = false;   ///< its handshake may begin
    bool is_next = false;  ///< this turn's step is its own
  };

  explicit Handshakes(unsigned max) noexcept : free_(max) {}

  /// False: it waits, and is woken when it is inside. A place that somebody leaves goes to the
  /// first who waits, so whoever comes later does not overtake.
  bool enter(Place& place, Waker waker) noexcept {
    if (place.inside) return true;
    if (free_ == 0) {
      outside_.join(place, waker);
      return false;
    }
    --free_;
    place.inside = true;
    return true;
  }
  /// False: it waits, and is woken in a turn to come. REQUIRES: it is inside.
  bool take_step(Place& place, Waker waker) noexcept {
    LAB_ASSERT(place.inside);
    if (std::exchange(place.is_next, false)) return true;
    if (!step_is_free_) {
      steps_.join(place, waker);
      return false;
    }
    step_is_free_ = false;
    return true;
  }
  /// True while it waits for a turn to come.
  bool waits_for_step(const Place& place) const noexcept {
    return place.inside && steps_.contains(place);
  }
  /// It is over, or it waits no longer. As often as one likes.
  void leave(Place& place) noexcept {
    (place.inside ? steps_ : outside_).leave(place);
    place.is_next = false;
    if (!std::exchange(place.inside, false)) return;
    if (TlsPlace* const next = outside_.wake_first()) {
      static_cast<Place*>(next)->inside = true;
    } else {
      ++free_;
    }
  }

  /// A turn begins: its step is for the first who waits, or for whoever comes.
  void begin_turn() noexcept {
    auto* const first = static_cast<Place*>(steps_.wake_first());
    step_is_free_ = first == nullptr;
    if (first != nullptr) first->is_next = true;
  }
  /// Somebody waits for the next turn.
  bool turn_is_due() const noexcept { return !steps_.empty(); }

 private:
  unsigned free_;  ///< so many more may enter
  bool step_is_free_ = true;
  TlsLine outside_;
  TlsLine steps_;
};

}  // namespace lab
