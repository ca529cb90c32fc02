// Takes connections for somebody who has a bounded number of places, and loses none of them.
//
// Lifetime: its worker's; armed from steer() until stop() and the CQEs that follow. Rule: never
// more accepts in flight than there are places.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "01-core/lib/cancel.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "06-server/lib/engine/accept_failure.hpp"

namespace lab {

/// Sink has: room(), the connections that it can still take; adopt(slot); accept_failed(), for the
/// statistics; tick(), in steps of tick_ms. One that asks where clients come from has
/// judge(slot, address) in place of adopt().
template <class Sink>
class Acceptor {
 public:
  /// What the sink wants to know of a client. Its address costs the multishot accept: a client
  /// takes a SQE of its own then.
  enum class Ask : std::uint8_t {
    nothing,  ///< multishot accepts while there is much room, one-shot ones else
    address   ///< one-shot accepts alone
  };

  /// Ring and sink outlive it.
  /// @param tick_ms milliseconds of one sink.tick(); after an error the next accept waits for one
  /// tick at first, for a second at the most
  Acceptor(Ring& ring, Sink& sink, unsigned tick_ms, Ask ask = Ask::nothing) noexcept
      : ring_(ring), sink_(sink), ask_(ask), retry_ticks_max_(1000 / tick_ms) {}

  /// @param listener_fd it outlives what is armed on it
  void start(int listener_fd) noexcept {
    listener_fd_ = listener_fd;
    steer();
  }

  /// Once a turn: begins what there is room for, and cancels a multishot accept when it gets tight.
  ///
  /// A multishot accept does not stop at a full table: the kernel takes a client from the backlog
  /// and drops it. And it does not stop at what waited when it began: while it takes a full
  /// backlog, more come. What stops it in any case is a full completion queue. So it runs only
  /// while a whole one fits, and one-shot accepts do the rest.
  void steer() noexcept {
    const unsigned most_at_once = ring_.raw()->cq.ring_entries + ones_max;
    if (multishot_.armed()) {
      if (room() <= most_at_once) cancel();
      return;
    }
    if (ones_armed_ == ones_max || cancel_.armed()) return;
    if (sink_.tick() < retry_tick_) return;
    if (room() > most_at_once && ask_ == Ask::nothing) {
      multishot_.start(ring_, listener_fd_);
      return;
    }
    for (One& one : ones_) {
      if (room() == 0) return;
      if (one.accept.armed()) continue;
      one.start();
      ++ones_armed_;
    }
  }

  /// True while another client may come.
  bool armed() const noexcept { return multishot_.armed() || ones_armed_ > 0; }

  /// No more accepts: ends those in flight and sends those away who wait in the backlog.
  void stop() noexcept {
    stopped_ = true;
    // A supervisor that lives has done it (ENOTCONN); after one that was killed the port is free
    // for another server.
    if (shutdown(listener_fd_, SHUT_RDWR) == 0 || errno == ENOTCONN) return;
    // A model's listener is no socket. None of these is armed again, so nobody needs to hear of
    // their cancels.
    if (multishot_.armed()) cancel_unheard(multishot_);
    for (const One& one : ones_) {
      if (one.accept.armed()) cancel_unheard(one.accept);
    }
  }

 private:
  static constexpr unsigned ones_max = 64;  // one-shot accepts: so many clients a turn

  struct One {
    explicit One(Acceptor& owner) noexcept : acceptor(owner) {}
    void start() noexcept {
      if (acceptor.ask_ == Ask::nothing) {
        accept.start_once(acceptor.ring_, acceptor.listener_fd_);
      } else {
        accept.start_once(acceptor.ring_, acceptor.listener_fd_, peer);
      }
    }
    void on_accept(Cqe cqe) noexcept {
      --acceptor.ones_armed_;
      acceptor.on_one(cqe, peer);
    }
    Acceptor& acceptor;
    AcceptedPeer peer;
    Bind<AcceptMultishot, &One::on_accept> accept{*this};
  };

  template <std::size_t... Index>
  static std::array<One, ones_max> make_ones(Acceptor& acceptor, std::index_sequence<Index...>) {
    return {((void)Index, One(acceptor))...};
  }

  unsigned room() const noexcept {
    const unsigned room = sink_.room();
    return room > ones_armed_ ? room - ones_armed_ : 0;
  }

  void on_multishot(Cqe cqe) noexcept {
    if (cqe.res >= 0) {
      retry_wait_ = 1;
      sink_.adopt(static_cast<FileSlot>(cqe.res));
    } else if (!stopped_) {
      on_failed(cqe.res);
    }
  }
  void on_one(Cqe cqe, const AcceptedPeer& peer) noexcept {
    if constexpr (requires { sink_.judge(FileSlot{}, peer.address); }) {
      if (ask_ == Ask::address && cqe.res >= 0) {
        retry_wait_ = 1;
        sink_.judge(static_cast<FileSlot>(cqe.res), peer.address);
        return;
      }
    }
    on_multishot(cqe);
  }

  // Any error ends a multishot accept.
  void on_failed(int res) noexcept {
    if (res == -ECANCELED) return;
    const AcceptFailure failure = accept_failure(-res);
    if (failure == AcceptFailure::listener_shut) {
      retry_tick_ = sink_.tick() + retry_ticks_max_;
      return;
    }
    sink_.accept_failed();
    if (failure == AcceptFailure::of_one_client) return;
    retry_tick_ = sink_.tick() + retry_wait_;
    retry_wait_ = std::min(2 * retry_wait_, retry_ticks_max_);
  }

  void cancel() noexcept {
    if (!cancel_.armed()) cancel_.start(ring_, multishot_);
  }
  void on_cancel(Cqe) noexcept {}

  void cancel_unheard(const Completion& target) noexcept {
    io_uring_sqe* sqe = ring_.sqe();
    io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&target), 0);
    ring_.submit_unowned(sqe);
  }

  Ring& ring_;
  Sink& sink_;
  const Ask ask_;
  const std::uint32_t retry_ticks_max_;
  int listener_fd_ = -1;
  bool stopped_ = false;
  unsigned ones_armed_ = 0;
  std::uint32_t retry_tick_ = 0;
  std::uint32_t retry_wait_ = 1;
  Bind<AcceptMultishot, &Acceptor::on_multishot> multishot_{*this};
  std::array<One, ones_max> ones_ = make_ones(*this, std::make_index_sequence<ones_max>{});
  Bind<Cancel, &Acceptor::on_cancel> cancel_{*this};
};

}  // namespace lab
