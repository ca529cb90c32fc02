// A listening TCP socket. Options that every connection should have are set here and are
// inherited, so that accepting costs no system call per connection.
#pragma once

#include <cstdint>
#include <string>

#include "02-files/lib/fd.hpp"

namespace lab {

/// Which options the listener gets, and its connections inherit.
enum class SocketOptions {
  plain,  ///< TCP_NODELAY and nothing else
  tuned   ///< see Listener
};

/// Where to listen, and how.
struct ListenerOptions {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6; "::" takes both unless v6_only
  std::uint16_t port = 0;             ///< 0: the kernel picks one
  int backlog = 1024;       ///< connections that may wait; the kernel cuts it at net.core.somaxconn
  bool reuse_port = false;  ///< joins who listens on the port, where they share it
  bool v6_only = false;     ///< IPV6_V6ONLY: "::" does not take IPv4 as well
  SocketOptions socket_options =
      SocketOptions::tuned;           ///< plain leaves the kernel's own sizes and time-outs
  unsigned user_timeout_ms = 30'000;  ///< TCP_USER_TIMEOUT; 0: the kernel's default (tuned only)
  unsigned send_buffer = 0;  ///< SO_SNDBUF, bytes; 0: the kernel's choice, net.ipv4.tcp_wmem
  unsigned receive_buffer = 1 << 20;  ///< SO_RCVBUF, bytes (tuned only)
  std::string congestion;  ///< TCP_CONGESTION; empty: see Listener (tuned only, unless named)
  /// TCP_DEFER_ACCEPT: a client is accepted with its first bytes, or after so many seconds without
  /// any (the kernel rounds up to 1, 3, 7, ...). 0: as soon as it is connected. Where clients speak
  /// first (Linux 2.4, tcp(7)).
  unsigned defer_accept_s = 0;
};

/// Binds and listens in the constructor; the order of listen() is the order in a SO_REUSEPORT
/// group.
///
/// `tuned` sets, beside TCP_NODELAY:
/// - SO_RCVBUF 1 MiB: a fixed size ends the receive-space autotuning, which costs CPU per segment;
/// - TCP_USER_TIMEOUT: bytes that nobody acknowledges end the connection, and with it the
///   notifications of zero-copy sends. A peer whose window is closed acknowledges nothing new, so
///   this ends a reader that pauses for longer, too (Linux 2.6.37, tcp(7));
/// - on loopback addresses TCP_CONGESTION reno: pacing (bbr) costs timers and wins nothing where no
/// packet
///   is lost.
/// @code
///   Listener listener({.port = 8000, .backlog = 4096});
///   accept_.start(ring, listener.fd());
/// @endcode
class Listener {
 public:
  /// @throws std::system_error; EADDRINUSE when somebody else listens there
  /// @throws std::invalid_argument when the address is none
  explicit Listener(const ListenerOptions& options);
  /// Takes over a TCP socket that listens already: one that the process was started with. It gets
  /// the options that connections inherit; address, port and backlog stay as they are. What is open
  /// in another process listens on when this one is gone.
  /// @throws std::system_error
  Listener(Fd listening, const ListenerOptions& options);

  /// For accepts; it stays the listener's. -1 after close().
  int fd() const noexcept { return fd_.get(); }
  /// Where it listens, also when the kernel has picked it.
  std::uint16_t port() const noexcept { return port_; }
  /// What listen() got after the kernel's cut.
  unsigned backlog() const noexcept { return backlog_; }
  /// Connections that wait to be accepted now.
  unsigned waiting() const noexcept;

  /// From now on listeners of the same user join this one's port with `reuse_port`. The first of a
  /// group is opened without that option: then the kernel has made sure that nobody else listens
  /// there, which no look beforehand could, and a second server that starts in the same instant
  /// does not become a part of this one's group.
  /// @throws std::system_error
  void share_port();

  /// Stops listening; what waits in the backlog is reset, or goes to the rest of its group.
  void close() noexcept { fd_.reset(); }

 private:
  Fd fd_;
  std::uint16_t port_ = 0;
  unsigned backlog_ = 0;
};

/// True for 127.0.0.0/8 and ::1: peers on loopback, where a zero-copy send is always copied.
bool is_loopback(const std::string& address);

}  // namespace lab
