// The smallest protocol around a protocol: each byte is turned over on its way in, and back on its
// way out. It keeps the rules of one: it holds no pooled buffer while it waits for another, and
// nothing goes in while something waits to go out.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab::fake {

template <class Inner>
class Wrapping {
 public:
  struct Shared {
    typename Inner::Shared inner;
  };
  static constexpr bool uses_buffers = true;

  explicit Wrapping(Shared& shared) noexcept : inner_(shared.inner) {}

  void on_open(auto& io) noexcept {
    Above above{*this, io};
    inner_.on_open(above);
  }
  void on_bytes(auto& io, Segment bytes) noexcept {
    do {
      if (in_left_ == 0 && reads_on()) turn_in(bytes);
      hand_in(io);
    } while (!bytes.empty() && reads_on());
    if (!bytes.empty() && !finished_) io.unread(std::move(bytes));
    end(io);
  }
  void on_file(auto& io, Segment bytes) noexcept {
    Above above{*this, io};
    inner_.on_file(above, std::move(bytes));
    end(io);
  }
  void on_turn(auto& io) noexcept {
    flush(io);
    Above above{*this, io};
    if (!finishes_) inner_.on_turn(above);
    hand_in(io);
    tell_end(io);
    end(io);
    if (reads_on()) io.receive(Receive::on);
  }
  void on_end(auto& io) noexcept {
    end_due_ = true;
    tell_end(io);
    end(io);
  }
  void on_drain(auto& io) noexcept {
    Above above{*this, io};
    inner_.on_drain(above);
    end(io);
  }
  void on_wind_up(auto& io) noexcept {
    Above above{*this, io};
    inner_.on_wind_up(above);
    end(io);
  }
  void on_abort() noexcept { inner_.on_abort(); }
  bool idle() const noexcept {
    return inner_.idle() && out_size_ == 0 && in_left_ == 0 && !end_due_ && finishes_ == finished_;
  }
  bool at_rest() const noexcept { return inner_.at_rest(); }
  std::uint32_t leases() const noexcept { return inner_.leases(); }
  std::uint32_t buffers() const noexcept { return inner_.buffers(); }
  std::uint32_t deadline() const noexcept { return inner_.deadline(); }

 private:
  static constexpr std::uint32_t size = 100;  ///< bytes at once, in each direction

  // What the inner protocol sees.
  template <class Lower>
  struct Above {
    Wrapping& self;
    Lower& lower;

    void send(Segment bytes) noexcept { self.turn_out(lower, bytes); }
    std::uint32_t room() const noexcept { return self.out_size_ == 0 ? lower.room() : 0; }
    PooledBuffer take_buffer() noexcept { return lower.take_buffer(); }
    bool read_file(const FileRange& range) noexcept { return lower.read_file(range); }
    void receive(Receive what) noexcept { self.wanted_ = what == Receive::on; }
    void unread(Segment bytes) noexcept {
      self.in_left_ = bytes.size();  // it is the end of what came in
      self.wanted_ = false;
    }
    void finish(Finish how) noexcept {
      self.finishes_ = true;
      self.how_ = how;
    }
    void reset() noexcept { lower.reset(); }
    bool admit_request() noexcept { return lower.admit_request(); }
    void pace() noexcept { lower.pace(); }
    std::uint32_t tick() const noexcept { return lower.tick(); }
    Waker waker() noexcept { return lower.waker(); }
    ClientAddress peer() const noexcept { return lower.peer(); }
  };
  template <class Lower>
  Above(Wrapping&, Lower&) -> Above<Lower>;

  // By place, so that a byte that is lost or comes twice spoils all that follow.
  static std::byte turn(std::byte byte, std::uint64_t place) noexcept {
    return byte ^ static_cast<std::byte>(place * 31 + 7);
  }

  bool reads_on() const noexcept { return wanted_ && out_size_ == 0 && !finishes_; }

  void turn_in(Segment& bytes) noexcept {
    in_size_ = in_left_ = std::min(bytes.size(), size);
    for (std::uint32_t at = 0; at < in_size_; ++at) in_[at] = turn(bytes.bytes()[at], in_place_++);
    bytes.drop_front(in_size_);
  }
  void hand_in(auto& io) noexcept {
    Above above{*this, io};
    while (in_left_ > 0 && reads_on()) {
      const std::uint32_t count = std::exchange(in_left_, 0);
      inner_.on_bytes(above, Segment::stable(std::span(in_).subspan(in_size_ - count, count)));
    }
  }

  // Into a pooled buffer, or until there is one into memory of its own.
  void turn_out(auto& io, const Segment& bytes) noexcept {
    std::span<const std::byte> left = bytes.bytes();
    while (!left.empty()) {
      PooledBuffer buffer = out_size_ == 0 && io.room() > 0 ? io.take_buffer() : PooledBuffer{};
      const std::span<std::byte> space =
          buffer ? buffer.space() : std::span(out_).subspan(out_size_);
      LAB_ASSERT(!space.empty());
      const std::size_t count = std::min(left.size(), space.size());
      for (std::size_t at = 0; at < count; ++at) space[at] = turn(left[at], out_place_++);
      left = left.subspan(count);
      const auto filled = static_cast<std::uint32_t>(count);
      if (buffer) {
        io.send(std::move(buffer).filled(filled));
      } else {
        out_size_ += filled;
      }
    }
  }
  void flush(auto& io) noexcept {
    if (out_size_ == 0 || io.room() == 0) return;
    PooledBuffer buffer = io.take_buffer();
    if (!buffer) return;
    LAB_ASSERT(buffer.space().size() >= out_size_);
    std::copy_n(out_.begin(), out_size_, buffer.space().begin());
    io.send(std::move(buffer).filled(std::exchange(out_size_, 0)));
  }

  void tell_end(auto& io) noexcept {
    if (!end_due_ || in_left_ > 0 || finishes_) return;
    end_due_ = false;
    Above above{*this, io};
    inner_.on_end(above);
  }
  void end(auto& io) noexcept {
    if (!finishes_ || finished_ || out_size_ > 0) return;
    finished_ = true;
    end_due_ = false;
    in_left_ = 0;
    io.finish(how_);
  }

  Inner inner_;
  std::array<std::byte, size> in_;       ///< turned over
  std::array<std::byte, 2 * size> out_;  ///< turned back, and no buffer is there for it
  std::uint32_t in_size_ = 0;
  std::uint32_t in_left_ = 0;  ///< of it, what the inner protocol has not taken
  std::uint32_t out_size_ = 0;
  std::uint64_t in_place_ = 0;
  std::uint64_t out_place_ = 0;
  Finish how_ = Finish::close;
  bool wanted_ = true;
  bool end_due_ = false;
  bool finishes_ = false;
  bool finished_ = false;
};

}  // namespace lab::fake
