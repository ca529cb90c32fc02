#include "06-server/lib/os/child.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "01-core/lib/check.hpp"

namespace lab {

WatchedFork fork_watched() {
  int ends[2];
  check_errno(pipe(ends), "pipe of a child");
  WatchedFork child;
  child.ended = Fd(ends[0]);
  Fd theirs(ends[1]);
  for (const int fd : ends) check_errno(fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl of a pipe");
  child.pid = check_errno(fork(), "fork");
  if (child.pid == 0) {
    child.ended.reset();
    child.keep = theirs.release();
  }
  return child;
}

// As many as a process may have: none is above, unless the limit was lowered meanwhile.
void close_descriptors(unsigned first, unsigned last) noexcept {
  constexpr rlim_t all_max = 1U << 20;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto end = static_cast<unsigned>(std::min(limit.rlim_cur, all_max));
  for (unsigned fd = first; fd < end && fd <= last; ++fd) ::close(static_cast<int>(fd));
}

void signal_at_parent_death(int) noexcept {}

}  // namespace lab
