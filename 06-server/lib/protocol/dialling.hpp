// What an engine offers beside Io to a protocol that dials out: a second connection, to which the
// bytes of the first go, and the other way round.
//
// Rule: as of every Io, it is a hook's and is never stored. The two have protocol objects of the
// same type; on_connected() tells the second one what it is.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <concepts>
#include <cstdint>
#include <cstring>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// IPv4 or IPv6, and a port.
struct SocketAddress {
  sockaddr_in6 place{};  ///< a sockaddr_in lies in its front

  /// @param size at most that of a sockaddr_in6
  static SocketAddress from(const sockaddr& any, socklen_t size) noexcept {
    LAB_ASSERT(size <= sizeof place);
    SocketAddress address;
    std::memcpy(&address.place, &any, size);
    return address;
  }
  /// AF_INET or AF_INET6; AF_UNSPEC: there is none
  int family() const noexcept { return place.sin6_family; }
  /// For calls that take any address; size() bytes.
  const sockaddr* any() const noexcept { return reinterpret_cast<const sockaddr*>(&place); }
  /// The same, to be filled in.
  sockaddr* any() noexcept { return reinterpret_cast<sockaddr*>(&place); }
  /// Bytes, as its family has them.
  socklen_t size() const noexcept {
    return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  }
};

/// Both ends of a connection.
struct ConnectionEnds {
  SocketAddress peer;  ///< the other side's
  SocketAddress own;   ///< ours
};

/// How far the second connection is.
enum class DialState : std::uint8_t {
  none,       ///< nobody has dialled
  dialling,   ///< the answer is not there yet
  connected,  ///< it can be written to
  failed      ///< nobody took it, or it is lost; until the next dial()
};

/// What such an engine's Io has more than others.
template <class T>
concept DiallingIo = Io<T> && requires(T& io, const T& seen, const SocketAddress& address,
                                       ConnectionEnds& ends, Segment segment) {
  /// Begins a second connection; on_turn() follows when dial_state() changes. The address is there
  /// until then. False: there is no place for one more. REQUIRES: there is none.
  { io.dial(address) }
  noexcept->std::same_as<bool>;
  { seen.dial_state() }
  noexcept->std::same_as<DialState>;
  /// errno, when it has failed.
  { seen.dial_error() }
  noexcept->std::same_as<int>;
  /// Gives the second connection up; its peer gets a reset.
  { io.hang_up() }
  noexcept;
  /// From now on what is received here goes to the other one, by pass(): how fast the peer may send
  /// depends on how fast the other one's takes. REQUIRES: it is connected.
  { io.relay() }
  noexcept;
  /// It does so. Of the second connection it is true from the beginning.
  { seen.relays() }
  noexcept->std::same_as<bool>;
  /// Sends by the other connection. Received bytes go at any time; a pooled buffer is the only one.
  { io.pass(std::move(segment)) }
  noexcept;
  /// The peer has sent all: so hears the other one's, after the last byte. When both have, both
  /// connections end.
  { io.pass_end() }
  noexcept;
  /// Where it comes from; on_turn() follows. False: it cannot be found out, or not yet.
  { io.find_ends() }
  noexcept;
  { seen.ends(ends) }
  noexcept->std::same_as<bool>;
  { seen.finds_ends() }
  noexcept->std::same_as<bool>;
};

/// A DiallingIo that does nothing, to ask whether a hook could be called.
struct AnyDiallingIo : AnyIo {
  bool dial(const SocketAddress&) noexcept { return false; }         ///< see DiallingIo
  DialState dial_state() const noexcept { return DialState::none; }  ///< see DiallingIo
  int dial_error() const noexcept { return 0; }                      ///< see DiallingIo
  void hang_up() noexcept {}                                         ///< see DiallingIo
  void relay() noexcept {}                                           ///< see DiallingIo
  bool relays() const noexcept { return false; }                     ///< see DiallingIo
  void pass(Segment) noexcept {}                                     ///< see DiallingIo
  void pass_end() noexcept {}                                        ///< see DiallingIo
  void find_ends() noexcept {}                                       ///< see DiallingIo
  bool finds_ends() const noexcept { return false; }                 ///< see DiallingIo
  bool ends(ConnectionEnds&) const noexcept { return false; }        ///< see DiallingIo
};
static_assert(DiallingIo<AnyDiallingIo>);

}  // namespace lab
