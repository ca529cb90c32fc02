#include "06-server/lib/os/child.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "01-core/lib/check.hpp"

namespace lab {

WatchedFork fork_watched() {
  WatchedFork child;
  child.pid = check_errno(fork(), "fork");
  if (child.pid == 0) return child;
  child.ended = Fd(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.ended) {  // nobody would see its end
    const int error = errno;
    kill(child.pid, SIGKILL);
    waitpid(child.pid, nullptr, 0);
    throw std::system_error(error, std::generic_category(), "pidfd_open");
  }
  return child;
}

void close_descriptors(unsigned first, unsigned last) noexcept {
  syscall(SYS_close_range, first, last, 0);
}

void signal_at_parent_death(int signal) noexcept { prctl(PR_SET_PDEATHSIG, signal); }

}  // namespace lab
