// How a worker's receive buffers are shared out: arithmetic on how many are free, without a ring.
//
// Lifetime: its worker's. Rule: whoever waits for a buffer gets at least a bite of one, whatever
// others do with theirs.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lab {

/// One worker's arithmetic. What is free is told with each question: only the ring of buffers knows
/// it.
class BufferBudget {
 public:
  /// Bytes of a bite. A writable socket has a third of its room free, 6 KB with the smallest send
  /// buffer that Linux gives by itself (20 KB, at a segment size of 88); there, bytes are charged
  /// up to ten times.
  static constexpr std::uint32_t bite_max = 256;

  /// @param count buffers
  /// @param size bytes of one
  /// @param receives how many a client may have in flight: 2 where a connection is dialled for it
  BufferBudget(std::uint32_t count, std::uint32_t size, std::uint32_t receives = 1) noexcept
      : count_(count),
        size_(size),
        reserve_(std::max(count / 8, reserve_min)),
        share_(std::clamp(count / 128, 1U, 16U / receives)) {}

  /// Kept for bites: an eighth costs little while buffers are enough, and four are several turns'
  /// work at once.
  std::uint32_t reserve() const noexcept { return reserve_; }
  /// Bytes of a bite: never more than a buffer.
  std::uint32_t bite() const noexcept { return std::min(bite_max, size_); }

  /// Buffers are so few that a multishot receive, which takes what it finds, would take them from
  /// others.
  bool scarce(std::uint32_t free) const noexcept {
    return free < reserve_ + granted_this_turn_ || count_ < multishot_count_min;
  }

  /// A connection may hold the fewer buffers the fewer there are: then many that do not read never
  /// get all. 64 are 1 MiB, more than most sockets take at once; 2 are one being sent and the next.
  static std::uint32_t cap(std::uint32_t free) noexcept { return std::clamp(free / 32, 2U, 64U); }
  /// A connection that holds so many has to pause.
  static bool over_high_water(std::uint32_t held, std::uint32_t free) noexcept {
    return held > cap(free);
  }
  /// One that has paused for that may go on.
  static bool below_low_water(std::uint32_t held, std::uint32_t free) noexcept {
    return held <= cap(free) / 2;
  }

  /// How many pooled buffers a connection may have waiting to be sent: the fewer, the fewer there
  /// are. 2 are one being sent and the next; 8 are all that an outbox takes.
  static std::uint32_t pooled_cap(std::uint32_t free) noexcept {
    return std::clamp(free / 32, 2U, 8U);
  }

  /// A multishot receive begins: what it may take at once is spoken for until the next turn shows
  /// what it did.
  /// @return how many buffers that is
  std::uint32_t grant_multishot() noexcept {
    granted_this_turn_ += share_;
    return share_;
  }
  /// What was spoken for in the turn before shows in `free` now.
  void begin_turn() noexcept { granted_this_turn_ = 0; }

  /// A zero-copy send keeps its buffer until the peer has acknowledged, which a delayed ACK may put
  /// off for 40 ms. So a connection has no more of them than it may hold and still receive, and
  /// none is begun while most buffers are out.
  /// @param due notifications that the connection awaits already
  bool may_send_zero_copy(std::uint32_t due, std::uint32_t free) const noexcept {
    return due < cap(free) / 2 && free >= count_ / 2;
  }

  // --- the waiting list's turns ---

  /// What the first in line gets.
  enum class Grant : std::uint8_t {
    whole,  ///< a buffer
    bite,   ///< of one: its answer fits into any writable socket, so it is home after a turn
    later,  ///< a whole one may be home in a turn
    none    ///< this turn's buffers are spoken for
  };

  /// To be called each tick, so that it is known how long whole buffers have been out.
  void note_free(std::uint32_t free, std::uint32_t tick) noexcept {
    if (whole(free) > 0) whole_tick_ = tick;
  }

  /// The grants of one turn: never more than there are buffers. One that is granted a bite may have
  /// no data; then the next in line has its turn at once, so nobody waits behind the idle.
  class Round {
   public:
    /// @param unread the first in line is known to have data
    /// @param since the tick at which it began to wait
    Grant next(bool unread, std::uint32_t since) noexcept {
      const bool takes_whole = unread && whole_ > 0;
      const std::uint32_t waits_since = std::min(budget_.whole_tick_, since);
      if (unread && !takes_whole && tick_ - waits_since < patience_ticks) return Grant::later;
      if (left_ == 0) return Grant::none;
      --left_;
      if (!takes_whole) return Grant::bite;
      --whole_;
      return Grant::whole;
    }

   private:
    friend class BufferBudget;
    Round(const BufferBudget& budget, std::uint32_t free, std::uint32_t tick) noexcept
        : budget_(budget), left_(free), whole_(budget.whole(free)), tick_(tick) {}

    const BufferBudget& budget_;
    std::uint32_t left_;
    std::uint32_t whole_;
    std::uint32_t tick_;
  };

  /// Once a turn, for those who wait.
  Round begin_grants(std::uint32_t free, std::uint32_t tick) noexcept {
    note_free(free, tick);
    return {*this, free, tick};
  }

 private:
  static constexpr std::uint32_t reserve_min = 4;
  /// With fewer, one turn of one multishot (33 buffers) would be a good part of all.
  static constexpr std::uint32_t multishot_count_min = 256;
  static constexpr std::uint32_t patience_ticks = 2;

  // Where a bite is a buffer, no reserve is needed.
  std::uint32_t whole(std::uint32_t free) const noexcept {
    const std::uint32_t reserved = size_ > bite_max ? reserve_ : 0;
    return free > reserved ? free - reserved : 0;
  }

  std::uint32_t count_;
  std::uint32_t size_;
  std::uint32_t reserve_;
  std::uint32_t share_;  ///< buffers that one multishot receive may take at once
  std::uint32_t granted_this_turn_ = 0;
  std::uint32_t whole_tick_ = 0;  ///< the last in which more than the reserve was seen free
};

}  // namespace lab
