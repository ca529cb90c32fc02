// What the proxy has of options beside those of all servers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "05-performance/bench/command_line.hpp"
#include "06-server/proxy/upstreams.hpp"

namespace lab {

struct ProxyOptions {
  std::vector<std::string> to;  ///< HOST:PORT each; see find_upstreams()
  Balance balance = Balance::round_robin;
  unsigned connect_timeout_ms = 1000;  ///< of one upstream
  unsigned rest_ms = 5000;
  bool proxy_protocol = false;
};

/// To be called before parse().
void add_proxy_options(CommandLine& line, ProxyOptions& options);

}  // namespace lab
