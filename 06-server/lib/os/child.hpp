// What a process that forks asks of the system beyond fork(2): who has ended, and what a child
// does not keep.
#pragma once

#include <sys/types.h>

#include "02-files/lib/fd.hpp"

namespace lab {

/// A fork whose end can be waited for by a ring, or by poll(2).
struct WatchedFork {
  pid_t pid = -1;  ///< as of fork(2); 0: this is the child
  Fd ended;        ///< in the parent: readable when the child has ended
  /// In the child: it has to stay open as long as it lives; -1: none. Where there is no pidfd it is
  /// the other end of a pipe.
  int keep = -1;
};

/// REQUIRES: a process with a single thread.
/// Linux: pidfd_open(2), 5.3. Elsewhere a pipe that nobody but the child has an end of: it must not
/// hand that on to a process that outlives it.
/// @throws std::system_error; then there is no child
WatchedFork fork_watched();

/// Closes those that are open, from the first to the last. Linux: close_range(2), 5.9.
/// @param last beyond the largest one: all that follow
void close_descriptors(unsigned first, unsigned last) noexcept;

/// The calling process gets the signal when its parent dies. Linux: prctl(2), PR_SET_PDEATHSIG.
/// Elsewhere nothing comes.
void signal_at_parent_death(int signal) noexcept;

}  // namespace lab
