// What the user asked ringload to do.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lab {

/// --sweep: one open loop for each rate. No rates: find the peak first.
struct SweepPlan {
  std::vector<double> rates;
};

/// http://HOST:PORT/PATH: GET requests instead of an echo's messages.
struct HttpQuestions {
  std::vector<std::string> paths;    ///< asked for in turn
  std::vector<std::string> headers;  ///< "Name: value", in every request
};

struct LoadOptions {
  std::string host;
  std::uint16_t port = 0;
  std::optional<HttpQuestions> http;

  unsigned connections = 64;
  std::size_t size = 64;       ///< bytes a message
  unsigned depth = 1;          ///< messages of a connection that may be unanswered
  bool stream = false;         ///< no messages: write and read at full speed
  std::optional<double> rate;  ///< messages a second over all connections: open loop

  bool churn = false;         ///< connect, exchange `messages`, close, and again
  unsigned messages = 1;      ///< of one connection, with churn
  bool linger_reset = false;  ///< close with a reset, with churn
  bool udp = false;           ///< datagrams; a connection is a flow: one socket, one local port
  double timeout_ms = 250;    ///< a datagram without an answer for so long is lost

  std::optional<SweepPlan> sweep;
  std::filesystem::path plot;  ///< folder for the picture of a sweep; empty: none

  double warmup_s = 0.5;
  double duration_s = 5;
  bool brief = false;                  ///< short measurements, where nothing else was asked for
  std::optional<std::uint64_t> count;  ///< replies to measure, instead of a duration
  double patience_s = 10;              ///< a server that is silent for so long is given up

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

/// Bytes of a datagram with --udp: its number has to fit in, and it has to fit into IPv4's 64 KiB.
inline constexpr std::size_t datagram_size_min = 16;
inline constexpr std::size_t datagram_size_max = 65507;

/// Reads the command line. Prints help or an error and ends the process when there is nothing to
/// run.
LoadOptions parse_options(int argc, char** argv);

}  // namespace lab
