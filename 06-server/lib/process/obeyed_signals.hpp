// Which signals a server obeys, on every system; how they reach it is ServerSignals'.
#pragma once

#include <csignal>

namespace lab {

/// SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2. SIGHUP and SIGQUIT not where they are
/// ignored: nohup(1) and a shell's background jobs mean that.
sigset_t obeyed_signals() noexcept;

/// Before there is a ServerSignals: SIGHUP waits for it, so that whoever wants something read anew
/// does not end a server that still reads it for the first time. Not where it is ignored.
void hold_back_hangup() noexcept;

}  // namespace lab
