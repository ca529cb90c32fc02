// The server's address, and sockets towards it: what every kind of load begins with.
#pragma once

#include <sys/socket.h>

#include <string>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/ringload/options.hpp"

namespace lab {

struct ServerAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const noexcept { return storage.ss_family; }
};

/// How a TCP connection of ours ends: with a FIN, after which its port waits in TIME_WAIT for a
/// minute, or with a reset, after which it does not. Source: SO_LINGER, socket(7).
enum class Ending { fin, reset };

/// Raises the limit of descriptors, checks that the connections fit into it and that there is so
/// much memory, and pins this thread.
/// @param memory bytes that the load takes beside what every run takes
/// @return the options, for a constructor's first initialiser
/// @throws std::runtime_error: what is missing, and the cure
LoadOptions prepare_process(const LoadOptions& options, std::uint64_t memory);

/// The first address of the name where somebody listens, so that localhost means what it should
/// with servers on either protocol. It costs a connection, which is closed again.
/// @throws std::runtime_error when nobody does
ServerAddress find_tcp_server(const LoadOptions& options);

/// The first address of the name that answers a datagram.
/// @throws std::runtime_error when none does within a second
ServerAddress find_udp_server(const LoadOptions& options);

/// With TCP_NODELAY and what the options ask for.
/// @throws std::system_error
Fd open_tcp_socket(const LoadOptions& options, int family, Ending ending);

/// Connected to the server, so that nobody else's datagrams come in.
/// @throws std::system_error
Fd open_udp_socket(const LoadOptions& options, const ServerAddress& server);

/// Puts the file into a slot of the ring's table. REQUIRES: the slot is empty, which it is after
/// the CQE of its close and not before: a close that came later would close the new one.
/// @throws std::system_error
void put_into_slot(Ring& ring, unsigned slot, const Fd& fd);

/// What a failed connect means, and the cure where there is one.
std::string connect_error_text(int error);

}  // namespace lab
