// The web servers that are compared, each configured as well as its own pages say it can be for
// files that do not change: one worker, files kept open or in memory, no log unless it is asked
// for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "05-performance/bench/program.hpp"

namespace lab {

struct HttpPeer {
  std::string name;
  std::string version;
  Server::Options start;
};

/// The peers that are installed, and how each is to be started.
/// @param site the folder to serve
/// @param directory for configurations and logs
/// @param cpu where they run
/// @param logs whether they write access logs into the directory
/// @throws std::runtime_error when a configuration cannot be written
std::vector<HttpPeer> installed_peers(const std::filesystem::path& site,
                                      const std::filesystem::path& directory, int cpu, bool logs);

}  // namespace lab
