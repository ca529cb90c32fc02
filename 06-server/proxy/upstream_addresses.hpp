// Where the upstreams are that --to names, and what cannot be one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "03-network/lib/listener.hpp"
#include "06-server/lib/protocol/dialling.hpp"

namespace lab {

/// What find_upstreams() finds.
struct UpstreamAddresses {
  std::vector<SocketAddress> addresses;  ///< each one once
  /// Of each, for statistics: as --to has it, but the address where a name has several.
  std::vector<std::string> names;
  std::vector<std::string> notes;  ///< for the log: where --to and the upstreams are not one to one
};

/// The addresses of a host, in the order in which they are to be tried.
/// @throws std::invalid_argument why there are none
using LookUp = std::vector<SocketAddress> (*)(const std::string& host, std::uint16_t port);

/// By the resolver of this machine, getaddrinfo(3). It may wait for a name server.
std::vector<SocketAddress> look_up(const std::string& host, std::uint16_t port);

/// Looks up each name, once. All addresses of a name are upstreams: where somebody listens on one
/// of them alone, the others are refused and the next one is tried.
/// @param to HOST:PORT each
/// @param listener where the proxy listens: an upstream there would be a loop
/// @throws std::invalid_argument what is wrong with one, and what may be written in its place
UpstreamAddresses find_upstreams(const std::vector<std::string>& to,
                                 const ListenerOptions& listener, LookUp look_up = &lab::look_up);

}  // namespace lab
