// Names in open folders. A path may lead anywhere by the time that it is used; a descriptor and one
// name, without following a link, cannot.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <compare>
#include <filesystem>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"

namespace lab {

/// What a file is, whatever its names are: device and inode.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;

  friend auto operator<=>(const FileId&, const FileId&) = default;
};

inline FileId id_of(const struct stat& status) noexcept { return {status.st_dev, status.st_ino}; }

/// A name as the kernel gets it, and as a message shows it.
struct Name {
  int folder = AT_FDCWD;  ///< what `name` is relative to; whoever opened it closes it
  std::string name;
  std::filesystem::path shown;
  bool follow = false;  ///< a link of this name leads on: for names that the user gave
};

/// Opens a folder below another. No part of the path may be a link or lead out.
/// @param path relative to the folder; empty: the folder once more
/// @param flags O_PATH or O_RDONLY
/// @return none, and errno, on an error (ELOOP: a part is a link). Source: openat2(2), Linux 5.6
Fd open_folder_below(const Fd& folder, const std::filesystem::path& path, int flags) noexcept;

/// Whether a folder is the other one or lies in it: by way of "..", not of what it is called. What
/// may not be searched on the way up ends the search.
bool lies_in(Fd folder, FileId other) noexcept;

/// The names in a folder but "." and "..". REQUIRES: opened for reading.
/// @param error 0, or the errno that ended the list
std::vector<std::string> names_in(const Fd& folder, int& error);

}  // namespace lab
