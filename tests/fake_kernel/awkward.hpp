// A protocol that does with its engine what the seam allows and no shipped protocol does. Its
// client hears an echo.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab::fake {

class Awkward : public ProtocolDefaults {
 public:
  struct Shared {
    unsigned connections = 0;
  };
  static constexpr bool uses_buffers = true;

  explicit Awkward(Shared& shared) noexcept
      : habit_(static_cast<Habit>(shared.connections++ % habits)) {}

  void on_open(auto& io) noexcept { keep_spare(io); }
  void on_bytes(auto& io, Segment bytes) noexcept {
    while (!bytes.empty()) {
      if (io.room() > 0 && answer(io, bytes)) continue;
      io.unread(std::move(bytes));
      return;
    }
  }
  void on_turn(auto& io) noexcept {
    keep_spare(io);
    io.receive(Receive::on);
  }
  void on_end(auto& io) noexcept {
    ended_ = true;
    spare_ = {};
    io.finish(Finish::close);
  }
  void on_abort() noexcept {
    ended_ = true;
    spare_ = {};
  }
  std::uint32_t buffers() const noexcept { return spare_ ? 1 : 0; }

 private:
  enum class Habit : std::uint8_t {
    cuts,   ///< what it received into many small segments, which share a buffer
    pairs,  ///< would like two pooled buffers at once; makes do with one in the tick after
    spares  ///< keeps an empty pooled buffer for its next answer
  };
  static constexpr unsigned habits = 3;

  // False: it must wait, for room or for a buffer.
  bool answer(auto& io, Segment& bytes) noexcept {
    if (habit_ == Habit::cuts) return answer_in_pieces(io, bytes);
    if (habit_ == Habit::pairs) return answer_in_pairs(io, bytes);
    if (!spare_) return false;
    fill(io, std::move(spare_), bytes, bytes.size());
    keep_spare(io);
    return true;
  }

  static bool answer_in_pieces(auto& io, Segment& bytes) noexcept {
    const std::uint32_t size = bytes.size() / 8 + 1;
    Segment rest = bytes.rest_after(size);
    bytes.keep_front(size);
    io.send(std::exchange(bytes, std::move(rest)));
    return true;
  }

  bool answer_in_pairs(auto& io, Segment& bytes) noexcept {
    PooledBuffer one = io.take_buffer();
    PooledBuffer other = io.take_buffer();
    if (!other && io.tick() == std::exchange(tick_in_vain_, io.tick())) {
      ++turns_in_vain_;
      LAB_ASSERT(turns_in_vain_ < 100'000);  // its engine spins
      return false;
    }
    turns_in_vain_ = 0;
    if (!one) return false;
    fill(io, std::move(one), bytes, bytes.size() / 2 + 1);
    if (other && !bytes.empty() && io.room() > 0) fill(io, std::move(other), bytes, bytes.size());
    return true;
  }

  static void fill(auto& io, PooledBuffer buffer, Segment& bytes, std::size_t size) noexcept {
    size = std::min({size, std::size_t{bytes.size()}, buffer.space().size()});
    std::memcpy(buffer.space().data(), bytes.bytes().data(), size);
    bytes.drop_front(static_cast<std::uint32_t>(size));
    io.send(std::move(buffer).filled(static_cast<std::uint32_t>(size)));
  }

  void keep_spare(auto& io) noexcept {
    if (habit_ == Habit::spares && !spare_ && !ended_) spare_ = io.take_buffer();
  }

  PooledBuffer spare_;
  Habit habit_;
  bool ended_ = false;
  std::uint32_t turns_in_vain_ = 0;  ///< within one tick
  std::uint32_t tick_in_vain_ = 0;
};
static_assert(Protocol<Awkward>);

}  // namespace lab::fake
