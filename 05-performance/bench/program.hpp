// Starts the programs that are compared, and ends them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lab {

/// A server on one processor, from its start until the object's death.
class Server {
 public:
  struct Options {
    std::filesystem::path program;
    std::vector<std::string> arguments;
    int cpu = 0;
    std::filesystem::path log;    ///< what it prints
    std::filesystem::path stats;  ///< where it writes its statistics; empty: it writes none
    /// The port that it is told elsewhere to listen on. 0: "listening on" in its log says which.
    std::uint16_t port = 0;
  };

  /// Returns when it listens.
  /// @throws std::runtime_error when it cannot be run, or with the end of its log when it does not
  explicit Server(const Options& options);
  ~Server();
  Server(Server&& other) noexcept;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  pid_t pid() const noexcept { return pid_; }
  const std::filesystem::path& log() const noexcept { return options_.log; }

  /// Its statistics so far: a line now and then, each of everything since its start.
  std::string all_stats() const;

 private:
  void wait_for_port();
  bool listens();
  void stop() noexcept;

  Options options_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// Runs a program to its end.
/// @return what it printed on stdout; stderr is the caller's
/// @throws std::runtime_error when it cannot be run, or ends with anything but 0
std::string run_program(const std::filesystem::path& program,
                        const std::vector<std::string>& arguments);

/// The whole file, or nothing when there is none.
std::string read_file(const std::filesystem::path& path);

/// While it lives, packets on loopback are processed on the core whose program reads them, not on
/// the core of the sender: Receive Flow Steering, Documentation/networking/scaling.rst. That is
/// what a network card with a queue per core does, at the price of an interrupt between cores.
class ReceiveSteering {
 public:
  /// @throws std::runtime_error without the right to change it
  ReceiveSteering();
  ~ReceiveSteering();
  ReceiveSteering(const ReceiveSteering&) = delete;
  ReceiveSteering& operator=(const ReceiveSteering&) = delete;

 private:
  struct Setting {
    const char* path;
    std::string value;
    std::string before;
  };
  void restore() noexcept;

  std::vector<Setting> settings_;
};

/// Puts this process and those it will start before all others, as far as it may: what else runs on
/// the machine then disturbs the measurement little.
/// @return a sentence that says what was possible
std::string take_priority() noexcept;

}  // namespace lab
