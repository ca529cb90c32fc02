// What --to says, before anything is looked up.
#pragma once

#include <string>

#include "05-performance/bench/host_port.hpp"

namespace lab {

/// Takes one of --to apart; it has a port then.
/// @throws std::invalid_argument what is wrong, and what was probably meant: a cure is an address
/// that is taken, or the form alone
HostPort split_upstream(const std::string& text);

}  // namespace lab
