// Why a client's connection is not let in.
#pragma once

#include <cstdint>

namespace lab {

enum class Refused : std::uint8_t {
  denied,       ///< by --allow and --deny
  connections,  ///< it has as many as it may
  rate,         ///< it came more often than it may
  total,        ///< all clients together came more often than the worker takes them
  count
};

}  // namespace lab
