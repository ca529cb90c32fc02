// The listening sockets that a process was started with: socket activation, sd_listen_fds(3).
//
// Whoever started it (systemd, or another program that keeps the socket while servers come and go)
// has them open, too. So they must only be closed here, and never shut down: clients that wait
// there are the next server's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lab {

/// What the environment named, and where it listens.
struct PassedSockets {
  std::vector<int> fds;    ///< open and close-on-exec; empty: there were none
  std::string address;     ///< IPv4 or IPv6, as ListenerOptions has it
  std::uint16_t port = 0;  ///< of all of them
};

/// Reads LISTEN_FDS and LISTEN_PID, and takes them out of the environment: a child is not meant.
/// Descriptors that are for another process are left alone. REQUIRES: a single thread
/// @param workers how many listeners the server has: one socket serves all, or each has its own
/// @throws std::invalid_argument with the cause and its cure, where one of them is no TCP socket
/// that listens, where they are of several addresses, or where there are too few or too many
PassedSockets take_passed_sockets(unsigned workers);

/// For accepts of io_uring, to which a socket that does not block says EAGAIN at once. Whether it
/// blocks is a property of the socket that all who have it share, and the engine without io_uring
/// does not let it: a server of that engine that is still there would hang in an accept.
void let_block(const std::vector<int>& passed);

}  // namespace lab
