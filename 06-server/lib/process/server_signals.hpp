// The signals that a server obeys, as numbers that its ring can wait for.
//
// Lifetime: blocked from the constructor to the destructor, so that a signal that comes early finds
// a server that can end in order, and one that failed to start can be ended as any program.
#pragma once

#include <csignal>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/obeyed_signals.hpp"

namespace lab {

/// The obeyed_signals() of its beginning. SIGPIPE and SIGXFSZ are ignored, for a write that fails
/// says it by its result.
class ServerSignals {
 public:
  /// @throws std::system_error
  ServerSignals();
  ~ServerSignals();
  ServerSignals(const ServerSignals&) = delete;
  ServerSignals& operator=(const ServerSignals&) = delete;

  /// Readable when a signal has come.
  int fd() const noexcept { return fd_.get(); }
  /// The next signal that has come; 0: none.
  int next() const noexcept;

  /// In a worker, after the fork: it ignores them and hears from the supervisor what to do.
  void ignore_all() const noexcept;

  /// True for those that only ask for the statistics.
  static bool asks_for_statistics(int signal) noexcept {
    return signal == SIGUSR1 || signal == SIGUSR2;
  }

 private:
  sigset_t set_ = obeyed_signals();
  sigset_t before_{};
  Fd fd_;
};

}  // namespace lab
