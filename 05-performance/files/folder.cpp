#include "05-performance/files/folder.hpp"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

namespace lab {

Fd open_folder_below(const Fd& folder, const std::filesystem::path& path, int flags) noexcept {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_DIRECTORY | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return Fd(static_cast<int>(syscall(SYS_openat2, folder.get(), name, &how, sizeof how)));
}

bool lies_in(Fd folder, FileId other) noexcept {
  struct stat status {};
  std::optional<FileId> last;  // the parent of the root is the root
  while (fstat(folder.get(), &status) == 0 && id_of(status) != last) {
    last = id_of(status);
    if (*last == other) return true;
    folder = Fd(openat(folder.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  return false;
}

std::vector<std::string> names_in(const Fd& folder, int& error) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> list(fdopendir(fcntl(folder.get(), F_DUPFD_CLOEXEC, 0)),
                                                 closedir);
  if (list == nullptr) {
    error = errno;
    return names;
  }
  errno = 0;
  while (const dirent* entry = readdir(list.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  error = errno;
  return names;
}

}  // namespace lab
