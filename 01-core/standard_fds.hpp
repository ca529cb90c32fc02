// Before anything else in main(): descriptors 0, 1 and 2 are open.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace lab {

/// A program may be started with its standard streams closed (`program >&-`). The next open() or
/// ring then gets number 1 or 2, and a line meant for the user is written into a file of theirs or
/// into a socket. /dev/null in these places prevents it. It is opened for reading where the program
/// writes, and for writing where it reads: each fails with EBADF as on the closed stream, so a
/// result that nobody gets is still no success. Where even /dev/null cannot be opened, there is
/// nobody to tell: exit code 1.
inline void open_standard_fds() noexcept {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one, for all below it are open.
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) _exit(1);
  }
}

}  // namespace lab
