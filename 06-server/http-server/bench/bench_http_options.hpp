// What the user asked bench-http to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lab {

struct HttpBenchOptions {
  std::string rows = ".*";
  unsigned rounds = 15;
  double seconds = 0.6;
  double warmup_s = 0.15;
  int server_cpu = 0;
  int client_cpu = 1;
  bool brief = false;
  bool memory = false;
  std::uint64_t churn = 0;  ///< connections that come and go; 0: the rows
  bool logs = false;        ///< each server writes its access log
  std::filesystem::path directory = "build/bench/http";
};

/// Reads the command line. Prints help or an error and ends the process when there is nothing to
/// run.
HttpBenchOptions parse_options(int argc, char** argv);

}  // namespace lab
