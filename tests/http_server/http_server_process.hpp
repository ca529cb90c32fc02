// The HTTP server in a process, with a folder.
#pragma once

#include <string>
#include <vector>

#include "tests/server/server_process.hpp"

namespace lab {

/// Quick to start, on a free port; what a test names stands in the place of that.
ServerProcess::Setup http_server(const std::string& folder, std::vector<std::string> named = {});
/// Nothing but these words.
ServerProcess::Setup http_server_with(std::vector<std::string> words);

}  // namespace lab
