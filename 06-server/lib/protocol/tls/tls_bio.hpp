// Where OpenSSL's records come from and go to: a BIO of two functions over segments.
//
// Input is the segment that was received, read where it lies. Output goes into pooled buffers, and
// what finds none into memory of its own, until there are some: so OpenSSL is never stopped in the
// middle of a record, no alert is lost, and whoever waits for a buffer holds none. As long as there
// is any of that, blocked(), only what is in other buffers already shall be added to it.
// Lifetime: stays where it is, and outlives its BIO. Rule: an Io is there only during a hook.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "06-server/lib/protocol/segment.hpp"

struct bio_st;

namespace lab {

/// One connection's. Stays where it is: OpenSSL knows its address.
class TlsBio {
 public:
  TlsBio() noexcept = default;
  TlsBio(const TlsBio&) = delete;
  TlsBio& operator=(const TlsBio&) = delete;

  /// For OpenSSL, which frees it. @return null without memory
  bio_st* make_bio() noexcept;

  /// While it lives OpenSSL may be called: it reads `input`, of which the rest stays, and writes to
  /// `io`. At its end what was written is sent.
  template <class Io>
  class Hook {
   public:
    /// All three outlive it.
    Hook(TlsBio& bio, Io& io, Segment& input) noexcept : bio_(bio) {
      bio_.input_ = &input;
      bio_.io_ = &io;
      bio_.take_ = [](void* to) noexcept {
        Io& lower = *static_cast<Io*>(to);
        return lower.room() > 0 ? lower.take_buffer() : PooledBuffer{};
      };
      bio_.send_ = [](void* to, Segment bytes) noexcept {
        static_cast<Io*>(to)->send(std::move(bytes));
      };
      bio_.send_overflow();
    }
    ~Hook() {
      bio_.flush();
      bio_.input_ = nullptr;
      bio_.io_ = nullptr;
    }
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

   private:
    TlsBio& bio_;
  };

  /// True while something waits in memory of its own for a pooled buffer.
  bool blocked() const noexcept { return !overflow_.empty(); }
  /// There was no memory for what found no buffer: the stream has a hole.
  bool broken() const noexcept { return broken_; }
  /// True while received bytes were not read yet. REQUIRES: within a Hook.
  bool has_input() const noexcept { return input_ != nullptr && !input_->empty(); }

  /// What the buffer at hand has left, or one that is taken now, where it would be less than
  /// wanted; 0: none is to be had. REQUIRES: not blocked(), and something is written next.
  std::uint32_t space(std::uint32_t wanted) noexcept;
  /// Sends what is written. A hook's end does it.
  void flush() noexcept;
  /// The connection is lost.
  void clear() noexcept;

  // For OpenSSL's two functions.

  /// @return how many bytes there were, at most as many as there is space
  std::size_t read(std::span<std::byte> space) noexcept;
  /// Takes all of them: what finds no buffer goes into memory of its own.
  void write(std::span<const std::byte> bytes) noexcept;

 private:
  void send_overflow() noexcept;
  std::size_t write_pooled(std::span<const std::byte> bytes) noexcept;

  Segment* input_ = nullptr;
  void* io_ = nullptr;
  PooledBuffer (*take_)(void* io) noexcept = nullptr;
  void (*send_)(void* io, Segment bytes) noexcept = nullptr;
  PooledBuffer out_;
  std::uint32_t out_size_ = 0;
  bool broken_ = false;
  std::uint32_t overflow_sent_ = 0;
  std::vector<std::byte> overflow_;  ///< what found no buffer; empty exactly while not blocked()
};

}  // namespace lab
