// Takes connections for somebody who has a bounded number of places, and loses none of them: while
// there is no place, clients wait in the backlog. (uv_listen() takes one more than it is asked
// for.)
//
// Lifetime: its worker's; after close() the loop runs until its callback has come.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/engine/accept_failure.hpp"
#include "06-server/lib/portable/uv_loop.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Sink has: room(), the connections that it can still take; adopt(fd, address); accept_failed(),
/// for the statistics; tick(), in steps of protocol_tick_ms.
template <class Sink>
class UvAcceptor {
 public:
  explicit UvAcceptor(Sink& sink) noexcept : sink_(sink) {}
  UvAcceptor(const UvAcceptor&) = delete;
  UvAcceptor& operator=(const UvAcceptor&) = delete;

  /// @param listener_fd it outlives this, and does not block from here on
  /// @throws std::system_error
  void start(UvLoop& loop, int listener_fd) {
    listener_fd_ = listener_fd;
    polled_ = Fd(check_errno(fcntl(listener_fd, F_DUPFD_CLOEXEC, 0), "a listener's F_DUPFD"));
    check_uv(uv_poll_init_socket(loop.raw(), &poll_, polled_.get()), "uv_poll_init of a listener");
    poll_.data = this;
    steer();
  }

  /// Once per turn of the loop.
  void steer() noexcept {
    pauses_ = pauses_ && static_cast<std::int32_t>(sink_.tick() - retry_tick_) < 0;
    const bool wanted = !stopped_ && !pauses_ && sink_.room() > 0;
    if (wanted == polls_) return;
    polls_ = wanted;
    if (wanted) {
      uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
        static_cast<UvAcceptor*>(poll->data)->accept_some();
      });
    } else {
      uv_poll_stop(&poll_);
    }
  }

  /// No more accepts, and those who wait in the backlog are sent away.
  void stop() noexcept {
    stopped_ = true;
    steer();
    shutdown(listener_fd_, SHUT_RDWR);
  }
  /// Libuv knows nothing of it after the next turn of the loop.
  void close() noexcept { uv_close(as_handle(poll_), nullptr); }

 private:
  static constexpr unsigned accepts_max = 64;  // so many clients a turn
  static constexpr std::uint32_t retry_ticks_max = 1000 / protocol_tick_ms;

  void accept_some() noexcept {
    for (unsigned count = 0; count < accepts_max && sink_.room() > 0; ++count) {
      sockaddr_in6 address{};
      socklen_t size = sizeof address;
      const int fd = ::accept(polled_.get(), reinterpret_cast<sockaddr*>(&address), &size);
      if (fd < 0) return on_failed(errno);
      retry_wait_ = 1;
      sink_.adopt(fd, address);
    }
  }

  void on_failed(int error) noexcept {
    if (error == EAGAIN || error == EINTR) return;
    const AcceptFailure failure = accept_failure(error);
    if (failure == AcceptFailure::listener_shut) return pause(retry_ticks_max);
    sink_.accept_failed();
    if (failure == AcceptFailure::of_one_client) return;
    pause(retry_wait_);
    retry_wait_ = std::min(2 * retry_wait_, retry_ticks_max);
  }
  void pause(std::uint32_t ticks) noexcept {
    retry_tick_ = sink_.tick() + ticks;
    pauses_ = true;
  }

  Sink& sink_;
  int listener_fd_ = -1;
  /// The same socket. A socket that was passed loses its number when the worker is to leave it
  /// alone, and a kernel queue forgets a socket only by the number that it knows it by.
  Fd polled_;
  uv_poll_t poll_;
  std::uint32_t retry_tick_ = 0;
  std::uint32_t retry_wait_ = 1;
  bool polls_ = false;
  bool pauses_ = false;  ///< until retry_tick_
  bool stopped_ = false;
};

}  // namespace lab
