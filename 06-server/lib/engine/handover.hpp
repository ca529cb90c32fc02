// The way of connections from an acceptor's ring to one reactor's: so many places, and each carries
// one connection at a time.
//
// A place that is empty is a credit: the acceptor may pass a connection there. It takes the places
// in turn, and the reactor hands them back in the same order, when it has room for another client.
// So a message into a full queue cannot happen, and a reactor that is full, or that does not run,
// is given nothing. 04-advanced/06-fd-passing shows the message itself.
//
// Lifetime: the acceptor's; it outlives the reactor's ring. Rule: before the reactor's start() it
// is the acceptor's thread's; then `full` says who may touch a place.
#pragma once

#include <netinet/in.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace lab {

/// What one connection needs on its way. The kernel carries the file and one number; what else
/// belongs to the connection stands here, since a second message could overtake the first.
struct HandoverPlace {
  sockaddr_in6 address{};     ///< where the client comes from, if anybody asks
  std::uint64_t arrival = 0;  ///< user_data of the message: the reactor's mailbox for this place
  std::atomic<bool> full{false};  ///< from before the message until the reactor has read it
};

/// Both ends of the way. Source: io_uring_prep_msg_ring_fd_alloc(3), Linux 6.0.
struct Handover {
  /// Connections on their way at once: two or three turns of an acceptor that is flooded. So many
  /// clients at most wait for a reactor that has just stopped running.
  static constexpr std::uint32_t places_max = 512;

  int acceptor_fd = -1;            ///< the acceptor's ring
  std::uint64_t credits_home = 0;  ///< user_data of a message with credits, to the acceptor
  int reactor_fd = -1;             ///< the reactor's ring; set by its start()
  std::uint32_t first_credits =
      0;  ///< places that are empty at first; set by the reactor's start()
  std::array<HandoverPlace, places_max> places;  ///< used in turn
  std::atomic<bool> ended{false};  ///< the reactor's loop has ended; set by its thread
};

}  // namespace lab
