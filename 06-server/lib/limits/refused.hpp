// Why a client's connection is not let in.
#pragma once

#include <cstdint>

namespace lab {

/// Which limit has kept a client out.
enum class Refused : std::uint8_t {
  denied,       ///< by --allow and --deny
  connections,  ///< it has as many as it may
  rate,         ///< it came more often than it may
  total,        ///< all clients together came more often than the worker takes them
  delay,        ///< whoever is inside waits too long already
  count         ///< how many reasons; none itself
};

}  // namespace lab
