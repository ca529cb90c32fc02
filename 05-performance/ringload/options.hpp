// What the user asked ringload to do.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lab {

struct LoadOptions {
  std::string host;
  std::uint16_t port = 0;

  unsigned connections = 64;
  std::size_t size = 64;       ///< bytes a message
  unsigned depth = 1;          ///< messages of a connection that may be unanswered
  bool stream = false;         ///< no messages: write and read at full speed
  std::optional<double> rate;  ///< messages a second over all connections: open loop

  double warmup_s = 0.5;
  double duration_s = 5;
  std::optional<std::uint64_t> count;  ///< replies to measure, instead of a duration

  bool check = true;  ///< compare every byte that comes back
  bool spin = false;  ///< never sleep: the server does not pay for waking us
  std::optional<int> cpu;
  std::optional<int> server_cpu;
  std::optional<pid_t> server_pid;
  std::string congestion;                  ///< TCP_CONGESTION of our side; empty: the system's
  std::optional<int> receive_buffer_size;  ///< SO_RCVBUF of our side; otherwise it grows by itself

  bool json = false;
  bool quiet = false;
};

/// Reads the command line. Prints help or an error and ends the process when there is nothing to
/// run.
LoadOptions parse_options(int argc, char** argv);

}  // namespace lab
