// A key for SipHash that nobody can guess.
#pragma once

#include "06-server/lib/limits/siphash.hpp"

namespace lab {

/// @throws std::system_error where the kernel has no random bytes
/// Source: getrandom(2)
SipKey random_sip_key();

}  // namespace lab
