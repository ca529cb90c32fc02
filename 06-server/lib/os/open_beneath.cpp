#include "06-server/lib/os/open_beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lab {

int open_beneath(int folder, const std::string& path) noexcept {
  // O_NONBLOCK: what was a file a moment ago may be a FIFO now.
  const open_how how{
      .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
      .mode = 0,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  const char* const name = path.empty() ? "." : path.c_str();
  return static_cast<int>(syscall(SYS_openat2, folder, name, &how, sizeof how));
}

}  // namespace lab
