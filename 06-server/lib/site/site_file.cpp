#include "06-server/lib/site/site_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "01-core/lib/check.hpp"
#include "06-server/lib/os/open_beneath.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileStamp stamp_of(const struct stat& status) noexcept {
  return {.inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = nanoseconds(status.st_mtim),
          .changed_ns = nanoseconds(status.st_ctim)};
}

FileStamp stamp_of(int fd) {
  struct stat status {};
  check_errno(fstat(fd, &status), "fstat");
  return stamp_of(status);
}

Fd open_in_site(int root, const std::string& real) {
  const int fd = open_beneath(root, real);
  if (fd >= 0) return Fd(fd);
  const std::string& path = real.empty() ? "." : real;
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:  // a symlink has taken its place
      return {};
    case EACCES:
      throw SiteError(fmt::format(
          "'{}' cannot be read: {}. Cure: let the server's user read it (chmod o+r; a folder needs "
          "o+rx), or move it out of the site",
          shown(path), std::strerror(errno)));
    case EMFILE:
      throw SiteError(
          fmt::format("'{}' cannot be opened: this process has no more descriptors. Cure: raise "
                      "ulimit -n",
                      shown(path)));
    default:
      throw SiteError(fmt::format("'{}' cannot be opened: {}", shown(path), std::strerror(errno)));
  }
}

std::size_t read_file(int fd, std::uint64_t offset, std::span<std::byte> into,
                      std::string_view name) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw SiteError(fmt::format("'{}' cannot be read: {}", shown(name), std::strerror(errno)));
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace lab
