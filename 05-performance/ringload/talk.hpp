// What a connection says and what it has to hear. Both are runs of bytes that repeat, so sending
// is a pointer, checking is a memcmp, and nothing is computed in the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lab {

/// One question and the answer that it gets each time.
struct Exchange {
  std::vector<std::byte> question;
  std::vector<std::byte> answer;
  /// The piece of the answer that changes with time: the value of HTTP's Date. No bytes: none.
  std::size_t changing_begin = 0;
  std::size_t changing_size = 0;
};

/// Lifetime: outlives every send that points into it.
class Talk {
 public:
  /// An echo: every byte comes back. All connections walk round one block of random bytes, each
  /// from a place of its own, so that a byte that is lost, repeated, moved or another connection's
  /// cannot pass for the one that is due.
  /// @param size of a message
  /// @param window_max the longest piece that is sent or heard at once
  Talk(std::size_t size, std::size_t window_max);

  /// Questions in turn, each with its answer. REQUIRES: at least one.
  /// @param exchanges what is asked
  /// @param window_max the longest piece that is sent or heard at once
  Talk(const std::vector<Exchange>& exchanges, std::size_t window_max);

  /// Where a connection begins: with which question, and where in the two runs.
  struct Start {
    std::uint32_t turn;
    std::size_t question_place;
    std::size_t answer_place;
  };
  Start start(std::uint64_t connection) const noexcept;

  /// Bytes of the question, or of the answer, number `turn`.
  std::size_t question_size(std::uint32_t turn) const noexcept { return sizes_[turn].question; }
  std::size_t answer_size(std::uint32_t turn) const noexcept { return sizes_[turn].answer; }
  std::uint32_t turn_after(std::uint32_t turn) const noexcept {
    return turn + 1 == sizes_.size() ? 0 : turn + 1;
  }
  std::size_t answer_size_max() const noexcept { return answer_size_max_; }

  std::span<const std::byte> question(std::size_t place, std::size_t count) const noexcept {
    return {said_.bytes.data() + place, count};
  }
  std::span<const std::byte> answer(std::size_t place, std::size_t count) const noexcept {
    return {heard_.bytes.data() + place, count};
  }
  /// True when `bytes` are what must be heard at `place`. Where only what changes has changed, the
  /// new bytes are what is awaited from then on.
  bool hears(std::size_t place, std::span<const std::byte> bytes) noexcept;

  std::size_t question_after(std::size_t place, std::size_t count) const noexcept {
    return said_.wrap(place + count);
  }
  std::size_t answer_after(std::size_t place, std::size_t count) const noexcept {
    return heard_.wrap(place + count);
  }

 private:
  struct Sizes {
    std::size_t question, answer;
    std::size_t question_place, answer_place;
  };
  // A run of bytes, and what a window over its end needs once more.
  struct Circle {
    std::vector<std::byte> bytes;
    std::size_t period = 0;
    void close(std::size_t window_max);
    std::size_t wrap(std::size_t place) const noexcept {
      return place < period ? place : place % period;
    }
  };
  struct Changing {
    std::size_t begin, size;
  };

  bool take_change(std::size_t place, std::span<const std::byte> bytes) noexcept;

  std::vector<Sizes> sizes_;
  std::size_t answer_size_max_ = 0;
  Circle said_;
  Circle heard_;
  std::vector<Changing> changing_;
  bool echo_ = false;
};

}  // namespace lab
