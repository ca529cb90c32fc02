#include "06-server/lib/os/open_beneath.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

#include "02-files/lib/fd.hpp"

namespace lab {

// O_NONBLOCK: what was a file a moment ago may be a FIFO now.
int open_beneath(int folder, const std::string& path) noexcept {
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
  std::string_view left = path.empty() ? std::string_view(".") : std::string_view(path);
  Fd inside;  // the folder that the rest of the path begins in
  for (;;) {
    const std::size_t slash = left.find('/');
    const std::string_view name = left.substr(0, slash);
    std::array<char, NAME_MAX + 1> part{};
    errno = name.size() < part.size() ? ELOOP : ENAMETOOLONG;
    if (name.empty() || name == ".." || name.size() >= part.size()) return -1;
    std::copy(name.begin(), name.end(), part.begin());
    const bool last = slash == std::string_view::npos;
    Fd next(openat(inside ? inside.get() : folder, part.data(), flags | (last ? 0 : O_DIRECTORY)));
    if (last || !next) {
      if (!next && errno == EMLINK) errno = ELOOP;  // what FreeBSD says of a symlink
      const int error = errno;
      inside.reset();
      errno = error;
      return next.release();
    }
    inside = std::move(next);
    left.remove_prefix(slash + 1);
  }
}

}  // namespace lab
