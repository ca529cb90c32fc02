// The command of a server: the options, checks, feature trial and exit codes that all servers of
// the lab share. What a server has of its own is a name, a protocol and a few options.
//
// Lifetime: the first object of main(), and there until the program ends.
//   int main(int argc, char** argv) {
//     ServerCommand command({.name = "echo-server", .description = "Sends back what it gets."});
//     command.line().add_option("--greeting", greeting, "Said first").group("Echo");
//     command.parse(argc, argv);
//     return serve<Echo>(command);
//   }
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "05-performance/bench/command_line.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/server_options.hpp"
#include "06-server/lib/process/worker_process.hpp"

namespace lab {

/// One for each program; its first comment shows the order of the calls.
class ServerCommand {
 public:
  /// What is different from server to server.
  struct About {
    const char* name;                 ///< in front of every line of the log and of every error
    std::string description;          ///< the head of --help: what it is, and how one tries it
    std::uint16_t port = 8000;        ///< the default of --port
    const char* on_hangup = nullptr;  ///< what SIGHUP does, in a sentence; null: it drains
    const char* on_usr1 = nullptr;    ///< what SIGUSR1 does besides: the end of one; null: nothing
  };

  /// Declares the options that all servers share. Opens the standard descriptors that are closed,
  /// and ignores SIGPIPE.
  explicit ServerCommand(const About& about);
  ServerCommand(const ServerCommand&) = delete;
  ServerCommand& operator=(const ServerCommand&) = delete;

  /// For options of its own, before parse(): each in a group() with the protocol's name.
  CommandLine& line() noexcept { return line_; }

  /// A protocol counts: from now on its counters are in --stats-json and in the summary at the end.
  /// @param infos their names, which no other counter has
  CounterPlace add_counters(std::span<const CounterInfo> infos);

  /// Reads the command line, looks at what the options mean together, and tries the kernel's
  /// features. Ends the program after --help and where one of these finds a fault.
  void parse(int argc, const char* const* argv);

  /// After parse().
  const ServerOptions& options() const noexcept { return options_; }

  /// A new list of descriptors that each worker keeps: a worker closes all that it was not given. A
  /// reload may change it.
  std::vector<int>& kept_open() { return descriptors_.emplace_back(); }
  /// A line of the log when the server listens: how one tries it. {} is the place: with_place().
  void hint(const std::string& text) { options_.supervisor.hint = text; }
  /// A signal reads something anew; again for something else. REQUIRES for SIGHUP:
  /// About::on_hangup.
  void reload_with(const Reload& reload) { options_.supervisor.reloads.push_back(reload); }

  /// What each worker's protocol writes into and reads files into: so many buffers, of so many
  /// bytes, a multiple of 8. A server that is silent has the WorkerOptions' own.
  void use_pooled_buffers(unsigned count, unsigned bytes) noexcept {
    options_.worker.pooled_count = count;
    options_.worker.pooled_size = bytes;
  }
  /// Protocols are told where their peers are: Io::peer().
  void want_peer_addresses() noexcept { options_.worker.peer_addresses = true; }
  /// The workers write to standard output. Ends the program where that is closed or --stats-json
  /// has it. @param option that asks for it
  void use_stdout(const std::string& option);
  /// The log tells when one of its protocol's counters grows.
  void alarm(const CounterAlarm& alarm) { options_.supervisor.alarms.push_back(alarm); }

  /// Ends the program, with its name and the message on stderr: wrong use (exit code 2), or
  /// something that would be right on another machine, or at another time (1).
  [[noreturn]] void refuse(const std::string& message) const;
  /// The latter: see refuse().
  [[noreturn]] void fail(const std::string& message) const;

  /// After parse(): only io_uring can serve this. Ends the program where that cannot be used, or
  /// another engine was asked for.
  /// @param what the portable engine does not do, in words: "dial out"
  void require_io_uring(const char* what) const;

  /// The argument of a worker's main.
  struct WorkerArgument {
    const ServerOptions& options;  ///< the command's own
    const void* own;               ///< what run() was given
  };

  /// Serves until the end; see serve(). @return the exit code
  int run(int (*worker_main)(const void* argument, const WorkerContext& context), const void* own);

 private:
  const bool has_stdout_;
  ServerOptions options_;
  CommandLine line_;
  std::list<std::vector<int>> descriptors_;
};

}  // namespace lab
