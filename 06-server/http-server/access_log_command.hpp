// The options of the access log, and the file behind it: opened in the supervisor's process, at the
// start and again on SIGUSR1. Workers inherit the descriptor, or get it as a parcel.
//
// Lifetime: from before the command's parse() to the end of the program.
#pragma once

#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/reload.hpp"
#include "06-server/lib/process/server_command.hpp"
#include "06-server/lib/protocol/http/access_log.hpp"

namespace lab {

class AccessLogCommand {
 public:
  /// Adds the options to the command's line. @param counters those of HTTP
  AccessLogCommand(ServerCommand& command, const CounterPlace& counters);
  AccessLogCommand(const AccessLogCommand&) = delete;
  AccessLogCommand& operator=(const AccessLogCommand&) = delete;

  /// After parse(). Ends the program with cause and cure where the options do not fit together (2)
  /// or the file cannot be opened (1).
  void start();
  bool wanted() const noexcept { return !path_.empty(); }
  const AccessLogOptions& options() const noexcept { return options_; }
  /// In a worker that was just forked: where its lines go. @throws std::system_error
  Fd descriptor() const;

 private:
  std::string complaint() const;
  Reload reload() noexcept;
  void use(Fd fd);

  ServerCommand& command_;
  const CounterPlace counters_;
  std::string path_;  ///< "-": standard output; empty: no log
  AccessLogOptions options_;
  std::vector<std::string> trusted_words_;
  std::vector<int>* kept_open_ = nullptr;
  Fd always_readable_;  ///< opening takes no time worth waiting for
  Fd current_;
  Fd next_;  ///< opened, and not taken yet
};

}  // namespace lab
