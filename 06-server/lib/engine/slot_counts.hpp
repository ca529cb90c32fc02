// How many slots of the file table are taken, and by whom.
//
// Lifetime: its worker's.
#pragma once

#include "01-core/lib/assert.hpp"

namespace lab {

/// Each client has its slot, and where the protocol dials, a place for its other connection.
class SlotCounts {
 public:
  /// @param dials half of the slots are for connections that are dialled: each client has a place
  /// for its other one
  SlotCounts(unsigned slots, bool dials) noexcept
      : clients_max_(dials ? slots / 2 : slots), dialled_max_(slots - clients_max_) {}

  /// Those that the next clients find.
  unsigned clients_left() const noexcept {
    return clients_max_ > clients_ ? clients_max_ - clients_ : 0;
  }
  /// Connections that may still be dialled.
  unsigned dialled_left() const noexcept { return dialled_max_ - dialled_; }

  /// A client has got one.
  void take_for_client() noexcept { ++clients_; }
  /// Before there is a slot: the kernel picks one. REQUIRES: dialled_left() > 0.
  void take_for_dialled() noexcept {
    LAB_ASSERT(dialled_ < dialled_max_);
    ++dialled_;
  }
  /// One is free again, or was not needed. @param dialled whose it was
  void give_up(bool dialled) noexcept {
    unsigned& taken = dialled ? dialled_ : clients_;
    LAB_ASSERT(taken > 0);
    --taken;
  }

 private:
  unsigned clients_max_;
  unsigned dialled_max_;
  unsigned clients_ = 0;
  unsigned dialled_ = 0;
};

}  // namespace lab
