// How far a connection is.
#pragma once

#include <cstdint>

namespace lab {

/// From its first moment to its last; it never goes back.
enum class ConnectionPhase : std::uint8_t {
  dialling,   ///< it is ours: there is no peer yet, and perhaps no slot
  open,       ///< bytes go both ways
  finishing,  ///< nothing more is wanted from the peer; what has come is sent, then it closes
  lingering,  ///< all is sent, and FIN; what still comes is thrown away
  aborting    ///< nothing more is sent either
};

}  // namespace lab
