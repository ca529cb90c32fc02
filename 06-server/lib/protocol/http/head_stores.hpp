// Memory for heads that came in pieces: so a slow one holds no receive buffer, and no pooled one.
//
// Rule: there are so many stores, and whoever needs one gets one. When all are out, the oldest
// holder loses its own and is told: a thousand clients that send a byte a second (Slowloris) take
// them from each other, and an honest client, whose head comes in two packets, has it for a moment.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

class HeadStore;

/// All stores of a worker, allocated once; pages that no head reached cost no memory.
/// Lifetime: outlives its stores.
class HeadStores {
 public:
  /// @param size bytes of each
  HeadStores(std::uint32_t count, std::uint32_t size)
      : places_(count),
        memory_(std::make_unique_for_overwrite<char[]>(std::size_t{count} * size)),
        size_(size) {
    LAB_ASSERT(count > 0);
    for (std::uint32_t i = count; i-- > 0;) places_[i].younger = std::exchange(free_, i);
  }
  HeadStores(const HeadStores&) = delete;
  HeadStores& operator=(const HeadStores&) = delete;

  /// Bytes of one store: the longest head.
  std::uint32_t size() const noexcept { return size_; }
  /// How many were taken from their holders.
  std::uint64_t taken_away() const noexcept { return taken_away_; }

 private:
  friend class HeadStore;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  struct Place {
    HeadStore* holder = nullptr;
    std::uint32_t elder = none;
    std::uint32_t younger = none;  ///< of a free one: the next free one
  };

  inline std::uint32_t take(HeadStore& holder) noexcept;
  void give_back(std::uint32_t id) noexcept {
    Place& place = places_[id];
    (place.elder == none ? oldest_ : places_[place.elder].younger) = place.younger;
    (place.younger == none ? youngest_ : places_[place.younger].elder) = place.elder;
    place = {nullptr, none, std::exchange(free_, id)};
  }
  char* memory(std::uint32_t id) noexcept { return &memory_[std::size_t{id} * size_]; }

  std::vector<Place> places_;
  std::unique_ptr<char[]> memory_;
  std::uint32_t size_;
  std::uint32_t free_ = none;
  std::uint32_t oldest_ = none;
  std::uint32_t youngest_ = none;
  std::uint64_t taken_away_ = 0;
};

/// One connection's right to a store. It stays where it is: the stores know its address.
class HeadStore {
 public:
  explicit HeadStore(HeadStores& stores) noexcept : stores_(stores) {}
  ~HeadStore() { release(); }
  HeadStore(const HeadStore&) = delete;
  HeadStore& operator=(const HeadStore&) = delete;

  /// True while it has a store.
  bool held() const noexcept { return id_ != HeadStores::none; }
  /// It was held, and another has it now; until release().
  bool lost() const noexcept { return lost_; }
  /// REQUIRES held().
  std::span<char> space() noexcept { return {stores_.memory(id_), stores_.size()}; }
  /// @param waker of this connection: it is woken when it loses the store
  void take(Waker waker) noexcept {
    LAB_ASSERT(!held());
    waker_ = waker;
    id_ = stores_.take(*this);
  }
  /// Gives the store back, if it has one. As often as one likes.
  void release() noexcept {
    lost_ = false;
    if (held()) stores_.give_back(std::exchange(id_, HeadStores::none));
  }

 private:
  friend class HeadStores;
  void lose() noexcept {
    release();
    lost_ = true;
    waker_->wake();
  }

  HeadStores& stores_;
  std::optional<Waker> waker_;
  std::uint32_t id_ = HeadStores::none;
  bool lost_ = false;
};

std::uint32_t HeadStores::take(HeadStore& holder) noexcept {
  if (free_ == none) {
    ++taken_away_;
    places_[oldest_].holder->lose();
  }
  const std::uint32_t id = free_;
  free_ = places_[id].younger;
  places_[id] = {&holder, std::exchange(youngest_, id), none};
  (places_[id].elder == none ? oldest_ : places_[places_[id].elder].younger) = id;
  return id;
}

}  // namespace lab
