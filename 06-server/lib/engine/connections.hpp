// A worker's connections: the memory for them, and the lists that each of them is in.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "05-performance/lib/slab_pool.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"

namespace lab {

/// Client has: age_link, receiving_link, ready, ready_next, stuck(), stuck_since().
/// Lifetime: its worker's; every client is released before it.
template <class Client>
class Connections {
 public:
  explicit Connections(unsigned clients_max) : slab_(clients_max) {}

  /// How many more there can be.
  unsigned free() const noexcept { return slab_.free(); }
  /// True without any connection.
  bool empty() const noexcept { return by_age_.empty(); }
  /// Connections that are alive.
  unsigned size() const noexcept { return by_age_.size(); }

  /// @return nullptr when there is no memory for one more
  template <class... Arguments>
  Client* create(Arguments&&... arguments) noexcept {
    Client* client = slab_.create(std::forward<Arguments>(arguments)...);
    if (client != nullptr) by_age_.push_back(*client);
    return client;
  }

  /// Destroys it. REQUIRES: it is in no other list, and nothing of it is with the kernel.
  void release(Client& client) noexcept {
    by_age_.remove(client);
    slab_.destroy(&client);
  }

  // --- by last activity, oldest first ---

  /// The one whose last activity is the longest ago, or null.
  Client* oldest() const noexcept { return by_age_.front(); }
  /// The one after it by age, or null.
  static Client* next(const Client& client) noexcept {
    return IntrusiveList<Client, &Client::age_link>::next(client);
  }
  /// It was active just now.
  void move_to_youngest(Client& client) noexcept { by_age_.move_to_back(client); }

  // --- something happened: they advance at the end of the turn ---

  /// It is looked at before the turn ends, once, however often it is marked.
  void mark_ready(Client& client) noexcept {
    if (client.ready) return;
    client.ready = true;
    client.ready_next = nullptr;
    (ready_tail_ != nullptr ? ready_tail_->ready_next : ready_head_) = &client;
    ready_tail_ = &client;
  }

  /// The next to look at, or null.
  Client* pop_ready() noexcept {
    Client* client = ready_head_;
    if (client == nullptr) return nullptr;
    ready_head_ = client->ready_next;
    if (ready_head_ == nullptr) ready_tail_ = nullptr;
    client->ready = false;
    return client;
  }

  // --- who waits for a buffer, in this order ---

  /// True while somebody waits for a receive buffer.
  bool anybody_waits() const noexcept { return !waiting_.empty(); }
  /// How many wait.
  unsigned waiting() const noexcept { return waiting_.size(); }
  /// Whose turn it is, or null.
  Client* first_waiting() const noexcept { return waiting_.front(); }
  /// True while this one waits.
  bool is_waiting(const Client& client) const noexcept { return waiting_.contains(client); }
  /// Behind all others. REQUIRES: it does not wait yet.
  void wait(Client& client) noexcept { waiting_.push_back(client); }
  /// REQUIRES: it waits.
  void leave_waiting(Client& client) noexcept { waiting_.remove(client); }

  // --- who stands still ---

  /// Those whose sends have not moved for so many ticks, the longest first, as many as fit. In one
  /// pass.
  std::span<Client*> longest_stuck(std::uint32_t now, std::uint32_t ticks,
                                   std::span<Client*> found) const noexcept {
    const auto longer = [](const Client* one, const Client* other) {
      return one->stuck_since() < other->stuck_since();
    };
    const auto begin = found.begin();
    auto end = begin;
    for (Client* client = by_age_.front(); client != nullptr; client = by_age_.next(*client)) {
      if (!client->stuck() || now - client->stuck_since() < ticks) continue;
      if (end == found.end()) {
        if (!longer(client, *begin)) continue;
        std::pop_heap(begin, end--, longer);
      }
      *end++ = client;
      std::push_heap(begin, end, longer);
    }
    std::sort_heap(begin, end, longer);
    return found.first(static_cast<std::size_t>(end - begin));
  }

 private:
  SlabPool<Client> slab_;
  IntrusiveList<Client, &Client::age_link> by_age_;
  IntrusiveList<Client, &Client::receiving_link> waiting_;
  Client* ready_head_ = nullptr;
  Client* ready_tail_ = nullptr;
};

}  // namespace lab
