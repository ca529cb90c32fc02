#include "06-server/lib/process/obeyed_signals.hpp"

#include <initializer_list>

namespace lab {

namespace {

bool ignored(int signal) noexcept {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

sigset_t obeyed_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  for (const int signal : {SIGHUP, SIGQUIT}) {
    if (!ignored(signal)) sigaddset(&set, signal);
  }
  return set;
}

void hold_back_hangup() noexcept {
  if (ignored(SIGHUP)) return;
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  sigprocmask(SIG_BLOCK, &hangup, nullptr);
}

}  // namespace lab
