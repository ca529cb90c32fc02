// An error in words, with what one can do about it.
#pragma once

#include <exception>
#include <string>
#include <system_error>

#include "03-network/lib/listener.hpp"

namespace lab {

/// What the exception says; where a limit of the system is the cause, its cure too.
std::string explain(const std::exception& error);

/// Why a Listener could not be had, in the words of the server's options.
std::string explain_listener(const ListenerOptions& options, const std::system_error& error);

}  // namespace lab
