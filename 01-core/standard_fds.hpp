// Before anything else in main(): descriptors 0, 1 and 2 are open.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace lab {

/// A program may be started with its standard streams closed (`program >&-`). The next open() or
/// ring then gets number 1 or 2, and a line meant for the user is written into a file of theirs or
/// into a socket. /dev/null in these places prevents it. Where even that cannot be opened, there is
/// nobody to tell: exit code 1.
inline void open_standard_fds() noexcept {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd < 0) _exit(1);
  close(fd);
}

}  // namespace lab
