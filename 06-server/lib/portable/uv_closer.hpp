// The end of a connection on libuv: FIN and a while of patience, and the close or the reset.
//
// Lifetime: a base of its connection, which is freed after closed().
#pragma once

#include <uv.h>

#include <algorithm>
#include <cstdint>

#include "06-server/lib/portable/uv_loop.hpp"
#include "06-server/lib/portable/uv_socket.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Connection derives from it and has: commons(), stream().
template <class Connection>
class UvCloser {
 public:
  /// Its handle is being closed, or is: nothing more may be asked of it.
  bool closing() const noexcept { return closing_; }
  /// libuv knows nothing of it any more, and has given back what was being written.
  bool closed() const noexcept { return closed_; }
  bool lingers() const noexcept { return lingers_; }  ///< after its last byte it waits for the peer
  /// So many came and were thrown away.
  void count_discarded(std::uint32_t bytes) noexcept {
    bytes_left_ -= std::min(bytes_left_, bytes);
  }

 protected:
  void want_to_linger() noexcept { lingers_ = true; }  ///< before it closes
  void want_reset() noexcept { reset_ = true; }        ///< in place of a FIN

  /// REQUIRES: all is sent.
  void send_fin() noexcept {
    until_tick_ = self().commons().tick() + ticks_max;
    uv_shutdown(&fin_, self().stream(), [](uv_shutdown_t*, int) {});
  }
  /// The peer had its time, or sent too much meanwhile.
  bool lingered_enough() const noexcept {
    const auto left = static_cast<std::int32_t>(until_tick_ - self().commons().tick());
    return left <= 0 || bytes_left_ == 0;
  }

  /// Once.
  void close() noexcept {
    closing_ = true;
    if (reset_) reset_on_close(self().stream());
    uv_close(reinterpret_cast<uv_handle_t*>(self().stream()), [](uv_handle_t* handle) {
      auto& connection = *static_cast<Connection*>(handle->data);
      static_cast<UvCloser&>(connection).closed_ = true;
      connection.commons().mark_ready(connection);
    });
  }

 private:
  // As in engine/lingering.hpp: several times what a client sends before it looks for an answer,
  // and many round trips.
  static constexpr std::uint32_t bytes_max = 8U << 20;
  static constexpr std::uint32_t ticks_max = 2000 / protocol_tick_ms;

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }

  uv_shutdown_t fin_;
  std::uint32_t bytes_left_ = bytes_max;  ///< that may still be thrown away
  std::uint32_t until_tick_ = 0;
  bool lingers_ = false;
  bool reset_ = false;  ///< the close shall be a reset
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace lab
