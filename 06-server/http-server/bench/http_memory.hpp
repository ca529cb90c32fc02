// What a web server keeps: for connections that are idle, for a site that several processes share,
// and, after very many connections, for none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "05-performance/bench/program.hpp"

namespace lab {

/// The memory of 10,000 connections that have asked `server` for /1k.html once, as a line.
/// @param name what the line calls it
/// @param ringload the load generator
/// @throws std::system_error, std::runtime_error
std::string idle_memory(const std::string& name, const Server& server,
                        const std::filesystem::path& ringload);

/// Starts our server on a site of 100 MB with one worker and with two, asks for all of it often
/// enough that each worker has sent some, and says what the processes map and what of it is there.
/// @param how program, core and log of our server
/// @param directory where the site is made
/// @throws std::system_error, std::runtime_error
std::string site_memory(Server::Options how, const std::filesystem::path& directory,
                        const std::filesystem::path& ringload);

/// What all processes of a server hold.
struct Holdings {
  std::uint64_t descriptors = 0;
  std::uint64_t threads = 0;
  std::uint64_t connections = 0;  ///< by its own statistics: slots in use
  std::uint64_t resident_bytes = 0;
};

struct ChurnGrowth {
  std::uint64_t connections = 0;  ///< that came and went
  Holdings before;                ///< after the first thousand, so that what is made once is there
  Holdings after;

  /// A descriptor or a slot that was not given back, or more than 1 MiB of memory.
  bool grew() const noexcept;
};

/// Starts our server and lets so many connections come, ask for /1k.html, and go with a reset.
/// @throws std::system_error, std::runtime_error
ChurnGrowth churn_growth(Server::Options how, const std::filesystem::path& site,
                         const std::filesystem::path& ringload, std::uint64_t connections);

std::string to_text(const ChurnGrowth& growth);

}  // namespace lab
