// HTTP: what is asked, and what comes back, learned from the server before the load.
#pragma once

#include <vector>

#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/talk.hpp"

namespace lab {

/// Asks once for each path. What was answered is what every answer of the load must be, byte for
/// byte, but for the value of Date.
/// @param options with http
/// @throws std::runtime_error when there is no answer, or one that a load cannot be made of: no
///     Content-Length, an error's status, the end of the connection after it
std::vector<Exchange> learn_http(const LoadOptions& options);

}  // namespace lab
