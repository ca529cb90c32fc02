#include "tests/http_server/http_server_process.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace lab {

ServerProcess::Setup http_server_with(std::vector<std::string> words) {
  return {.flags = std::move(words), .program = LAB_HTTP_SERVER};
}

ServerProcess::Setup http_server(const std::string& folder, std::vector<std::string> named) {
  const std::pair<const char*, const char*> quick[] = {{"--port", "0"},
                                                       {"--workers", "1"},
                                                       {"--connections", "256"},
                                                       {"--buffer-size", "16384"},
                                                       {"--buffer-count", "256"}};
  for (const auto& [option, value] : quick) {
    if (std::find(named.begin(), named.end(), option) == named.end())
      named.insert(named.end(), {option, value});
  }
  named.insert(named.begin(), folder);
  return http_server_with(std::move(named));
}

}  // namespace lab
