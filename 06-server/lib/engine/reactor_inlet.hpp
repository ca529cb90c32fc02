// A reactor's end of a Handover: what arrives is a connection, and credits go back.
//
// Lifetime: its worker's, from its start as a reactor on. Rule: the acceptor never has more credits
// than there is room, so whoever arrives finds a place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "01-core/lib/assert.hpp"
#include "02-files/lib/file_table.hpp"
#include "04-advanced/lib/mailbox.hpp"
#include "06-server/lib/engine/handover.hpp"

namespace lab {

/// Sink has: room(), the clients that it can still take; adopt(slot), or judge(slot, address) where
/// it asks for addresses.
template <class Sink>
class ReactorInlet {
 public:
  /// @param asks_for_addresses of each client, and the acceptor knows them
  ReactorInlet(Ring& ring, Sink& sink, Handover& handover, bool asks_for_addresses)
      : ring_(ring), sink_(sink), handover_(handover), asks_(asks_for_addresses) {
    for (HandoverPlace& place : handover.places) {
      place.arrival = arrivals_.emplace_back(*this, place).mailbox.address();
    }
    handover.reactor_fd = ring.raw()->ring_fd;
    handover.first_credits = credits_ = std::min(sink.room(), Handover::places_max);
    home_ = Handover::places_max - credits_;
  }

  /// After each turn. Credits go back by the quarter, so that a message serves many clients; but
  /// none is held back from an acceptor that has few.
  void steer() noexcept {
    constexpr std::uint32_t quarter = Handover::places_max / 4;
    const std::uint32_t room = sink_.room();
    if (give_.armed() || room <= credits_) return;
    const std::uint32_t more = std::min(home_, room - credits_);
    if (more == 0 || (more < quarter && credits_ >= quarter)) return;
    home_ -= more;
    credits_ += more;
    give_.start(ring_, more);
  }

 private:
  struct Arrival {
    Arrival(ReactorInlet& owner, HandoverPlace& at) noexcept : inlet(owner), place(at) {}
    void on_arrived(Cqe cqe) noexcept { inlet.on_arrived(*this, cqe); }
    ReactorInlet& inlet;
    HandoverPlace& place;
    bool empty = false;  ///< Its connection is ours, and those before it are still on their way.
    Bind<Mailbox, &Arrival::on_arrived> mailbox{*this};
  };

  class GiveCredits : public Completion {
   public:
    explicit GiveCredits(ReactorInlet& inlet) noexcept
        : Completion(&on_given), handover_(inlet.handover_) {}
    void start(Ring& ring, std::uint32_t count) noexcept {
      io_uring_sqe* sqe = ring.sqe();
      io_uring_prep_msg_ring(sqe, handover_.acceptor_fd, count, handover_.credits_home, 0);
      ring.arm(sqe, *this);
    }

   private:
    // It fails where the acceptor's ring is gone, and then no client comes any more.
    static void on_given(Completion&, Cqe) noexcept {}
    Handover& handover_;
  };

  // Messages overtake each other; places go home in order.
  void on_arrived(Arrival& arrival, Cqe cqe) noexcept {
    HandoverPlace& place = arrival.place;
    LAB_ASSERT(place.full.load(std::memory_order_acquire));
    LAB_ASSERT(credits_ > 0);
    const sockaddr_in6 address = place.address;
    place.full.store(false, std::memory_order_release);
    arrival.empty = true;
    --credits_;
    while (arrivals_[next_].empty) {
      arrivals_[next_].empty = false;
      next_ = (next_ + 1) % Handover::places_max;
      ++home_;
    }
    const auto slot = static_cast<FileSlot>(cqe.res);
    if (asks_) {
      sink_.judge(slot, address);
    } else {
      sink_.adopt(slot);
    }
  }

  Ring& ring_;
  Sink& sink_;
  Handover& handover_;
  const bool asks_;
  std::deque<Arrival> arrivals_;  ///< by place; they stay where they are
  std::uint32_t next_ = 0;        ///< the place that goes home next
  std::uint32_t home_ = 0;        ///< places that went home, and that the acceptor has not got back
  std::uint32_t credits_ = 0;     ///< what the acceptor has, or is about to get
  GiveCredits give_{*this};
};

}  // namespace lab
