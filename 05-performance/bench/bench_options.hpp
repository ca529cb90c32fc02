// What the user asked bench-echo to do.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "05-performance/bench/plan.hpp"

namespace lab {

struct BenchOptions {
  std::string rows = ".*";
  bool lesson = false;           ///< the rows of lesson 05-10 instead
  std::filesystem::path record;  ///< where the lesson's data and picture go
  bool brief = false;
  std::vector<std::string> only;
  unsigned rounds = 15;
  double seconds = 0.6;
  double warmup_s = 0.15;
  int server_cpu = 0;
  int client_cpu = 1;
  std::filesystem::path server;
  std::filesystem::path baseline;
  std::filesystem::path session;
  std::filesystem::path client;
  std::filesystem::path directory = "build/bench";
  std::filesystem::path json;
  bool ablate = false;
  bool memory = false;
  unsigned memory_connections = 10'000;
  bool process_cpu = false;
  bool priority = true;
  bool sleeping_client = false;
  bool receive_steering = false;

  /// True where --only names this comparison.
  bool asks_for(const std::string& comparison) const;
  const std::filesystem::path& program(Variant::Program which) const;
};

/// The client's own side is the same against every server, and as light as it can be.
std::vector<std::string> client_options(const BenchOptions& options);

/// Reads the command line. Prints help or an error and ends the process when there is nothing to
/// run.
BenchOptions parse_options(int argc, char** argv);

}  // namespace lab
