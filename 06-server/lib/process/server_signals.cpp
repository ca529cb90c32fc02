#include "06-server/lib/process/server_signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include "01-core/lib/check.hpp"

namespace lab {

ServerSignals::ServerSignals() {
  fd_ = Fd(check_errno(signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  sigprocmask(SIG_BLOCK, &set_, &before_);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

ServerSignals::~ServerSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

int ServerSignals::next() const noexcept {
  signalfd_siginfo info{};
  if (read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return 0;
  return static_cast<int>(info.ssi_signo);
}

void ServerSignals::ignore_all() const noexcept {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&set_, signal) == 1) std::signal(signal, SIG_IGN);
  }
  sigprocmask(SIG_UNBLOCK, &set_, nullptr);
}

}  // namespace lab
