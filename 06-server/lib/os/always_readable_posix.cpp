#include "06-server/lib/os/always_readable.hpp"

#include <fcntl.h>

#include "01-core/lib/check.hpp"

namespace lab {

// A pipe at its end: nobody can write to it any more.
Fd always_readable() {
  int ends[2];
  check_errno(pipe(ends), "pipe");
  Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  check_errno(fcntl(read_end.get(), F_SETFD, FD_CLOEXEC), "fcntl of a pipe");
  return read_end;
}

}  // namespace lab
