// What the TLS connections of one worker have in common: the context, whose handshake goes on,
// buffers for decrypted bytes, and counts.
//
// Lifetime: made before the loop; outlives its connections.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/protocol/protocol.hpp"
#include "06-server/lib/protocol/tls/handshakes.hpp"
#include "06-server/lib/protocol/tls/tls_context.hpp"
#include "06-server/lib/protocol/tls/tls_counters.hpp"

namespace lab {

/// Buffers for decrypted bytes. They are no pooled buffers of the engine's, so nobody holds one of
/// those while he waits for another.
class PlainBuffers final : public SegmentOwner {
 public:
  static constexpr std::uint32_t size = 16384;  ///< bytes: a record holds no more

  explicit PlainBuffers(unsigned count)
      : SegmentOwner(SegmentKind::pooled, &on_share, &on_give_back),
        memory_(std::make_unique_for_overwrite<std::byte[]>(std::size_t{count} * size)),
        readers_(count),
        home_(count) {
    for (unsigned id = 0; id < count; ++id) home_[id] = count - 1 - id;
    free_ = count;
  }
  ~PlainBuffers() { LAB_ASSERT(free_ == home_.size()); }

  /// Buffers that are home.
  unsigned free() const noexcept { return free_; }

  /// @return none: the place's connection is woken when one is home
  PooledBuffer take(TlsPlace& place, Waker waker) noexcept {
    place.called = false;
    if (free_ == 0) {
      line_.join(place, waker);
      return {};
    }
    const std::uint32_t id = home_[--free_];
    readers_[id] = 1;
    return {*this, id, {memory_.get() + std::size_t{id} * size, size}};
  }
  /// It waits for no buffer any more. As often as one likes.
  void leave(TlsPlace& place) noexcept {
    line_.leave(place);
    pass_on(place);
  }
  /// It needs none now: if it was woken for one, the next in line is in its place. Without this
  /// all could wait while all buffers are home.
  void pass_on(TlsPlace& place) noexcept {
    if (std::exchange(place.called, false) && free_ > 0) line_.wake_first();
  }

 private:
  static void on_share(SegmentOwner& owner, std::uint32_t id) noexcept {
    ++static_cast<PlainBuffers&>(owner).readers_[id];
  }
  static void on_give_back(SegmentOwner& owner, std::uint32_t id) noexcept {
    auto& self = static_cast<PlainBuffers&>(owner);
    LAB_ASSERT(self.readers_[id] > 0);
    if (--self.readers_[id] > 0) return;
    self.home_[self.free_++] = id;  // the latest is warm
    self.line_.wake_first();
  }

  std::unique_ptr<std::byte[]> memory_;
  std::vector<std::uint32_t> readers_;
  std::vector<std::uint32_t> home_;  ///< the first free_ of them are
  unsigned free_ = 0;
  TlsLine line_;
};

/// One for each worker.
struct TlsShared {
  explicit TlsShared(std::shared_ptr<const TlsContext> first)
      : context(std::move(first)),
        handshakes(context->options().handshakes_max),
        plain(context->options().plain_buffers),
        counters(unseen) {}

  /// For connections that come from now on. A reload puts another here; those that are open keep
  /// theirs.
  std::shared_ptr<const TlsContext> context;
  Handshakes handshakes;  ///< who may be in one, and whose goes on
  PlainBuffers plain;     ///< for decrypted bytes
  std::array<std::byte, PlainBuffers::size>
      scratch;           ///< bytes that were looked at, on their way out
  TlsCounters counters;  ///< nobody else sees them, until a worker puts others here
  std::array<Counter, TlsCounters::size> unseen;  ///< what `counters` is at first
};

/// What the connections of a protocol inside of TLS have in common.
template <class Inner>
struct TlsSharedWith {
  /// @param arguments what the inner protocol's Shared is made from
  template <class... Arguments>
  explicit TlsSharedWith(std::shared_ptr<const TlsContext> context, Arguments&&... arguments)
      : tls(std::move(context)), inner{std::forward<Arguments>(arguments)...} {}
  void on_tick(std::uint32_t now) noexcept {
    if constexpr (requires { inner.on_tick(now); }) inner.on_tick(now);
  }
  /// A turn begins.
  void begin_turn() noexcept {
    tls.handshakes.begin_turn();
    lab::begin_turn(inner);
  }
  /// Somebody waits for the next turn, so the worker does not wait for anything else.
  bool turn_is_due() const noexcept {
    return tls.handshakes.turn_is_due() || lab::turn_is_due(inner);
  }
  /// No connection is left, or it is late. @return whether the worker may end
  bool settle(bool late) noexcept {
    if constexpr (requires { inner.settle(late); }) return inner.settle(late);
    return true;
  }
  TlsShared tls;                 ///< what every protocol inside of TLS needs
  typename Inner::Shared inner;  ///< the inner protocol's own
};

}  // namespace lab
