// Who waits for a pooled buffer, first come, first served: while somebody waits, nobody else takes
// one.
#pragma once

#include <cstdint>

#include "06-server/lib/engine/intrusive_list.hpp"

namespace lab {

/// A connection's place in the line.
template <class Client>
struct BufferLinePlace {
  ListLink<BufferLinePlace> buffer_link;  ///< null on both sides: it does not wait
  std::uint32_t buffer_wait_since = 0;    ///< tick
};

/// Lifetime: its worker's. Client derives from the place above.
/// @tparam On false: its protocol uses no pooled buffers
template <class Client, bool On>
class BufferLine {
 public:
  /// True when nobody waits.
  bool empty() const noexcept { return line_.empty(); }
  /// How many wait.
  unsigned size() const noexcept { return line_.size(); }
  /// The tick at which the first in line began to wait. REQUIRES: not empty().
  std::uint32_t first_since() const noexcept { return line_.front()->buffer_wait_since; }
  /// True while this one waits.
  bool contains(const Client& client) const noexcept { return line_.contains(client); }

  /// Behind all others, unless it waits already.
  void join(Client& client, std::uint32_t tick) noexcept {
    if (line_.contains(client)) return;
    client.buffer_wait_since = tick;
    line_.push_back(client);
  }
  /// It wants none any more. As often as one likes.
  void leave(Client& client) noexcept {
    if (line_.contains(client)) line_.remove(client);
  }
  /// Whoever has waited gets a turn for each buffer that is home, in the order of the line: one
  /// turn, or a protocol that gives back what it took would have another for ever.
  /// @param pooled the buffers that are waited for
  /// @param turn called with a client, which may take meanwhile
  void grant(const auto& pooled, const auto& turn) noexcept {
    for (unsigned turns = size(); turns > 0 && pooled.free() > 0 && !empty(); --turns) {
      Place& place = *line_.front();
      line_.remove(place);
      turn_ = &place;
      turn(static_cast<Client&>(place));
      turn_ = nullptr;
    }
  }
  /// True when nobody waits, or it is this one's turn.
  bool may_take(const Client& client) const noexcept { return line_.empty() || turn_ == &client; }

 private:
  using Place = BufferLinePlace<Client>;

  IntrusiveList<Place, &Place::buffer_link> line_;
  const Place* turn_ = nullptr;
};

template <class Client>
class BufferLine<Client, false> {
 public:
  bool empty() const noexcept { return true; }
  bool contains(const Client&) const noexcept { return false; }
  void grant(const auto&, const auto&) noexcept {}
  void leave(Client&) noexcept {}
};

}  // namespace lab
