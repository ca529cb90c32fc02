// What a failed accept says of the next one.
#pragma once

#include <cerrno>
#include <cstdint>

namespace lab {

/// Whose fault it was.
enum class AcceptFailure : std::uint8_t {
  of_one_client,  ///< it is gone, or its network is: the next accept may begin at once
  listener_shut,  ///< the supervisor has shut the listener down: its word to drain is on the way
  shortage        ///< of descriptors or memory: the next one waits, longer each time
};

/// @param error errno
/// Source: accept(2), the part on errors of the network.
constexpr AcceptFailure accept_failure(int error) noexcept {
  switch (error) {
    case EINVAL:
      return AcceptFailure::listener_shut;
    case ECONNABORTED:
    case EPROTO:
    case EINTR:
    case EAGAIN:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ETIMEDOUT:
      return AcceptFailure::of_one_client;
    default:
      return AcceptFailure::shortage;
  }
}

}  // namespace lab
