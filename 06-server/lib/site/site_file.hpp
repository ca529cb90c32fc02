// A file of a site on the disk: opened only inside the site's folder, read whole, told by a stamp.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "02-files/lib/fd.hpp"

namespace lab {

/// What tells that a file is not the one that was looked at, or has changed since.
struct FileStamp {
  std::uint64_t inode = 0;       ///< its number on the file system
  std::uint64_t size = 0;        ///< bytes
  std::int64_t modified_ns = 0;  ///< mtime, since 1970
  std::int64_t changed_ns = 0;   ///< ctime, which nobody can set
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp stamp_of(const struct stat& status) noexcept;
/// @throws std::system_error
FileStamp stamp_of(int fd);

/// @param root a descriptor of the site's folder
/// @param real the file below it, without symlinks and a leading slash
/// @return none when it is gone
/// @throws SiteError when it cannot be opened, or would lead out of the folder
Fd open_in_site(int root, const std::string& real);

/// Reads until `into` is full or the file ends.
/// @return the bytes read
/// @throws SiteError named after `name`
std::size_t read_file(int fd, std::uint64_t offset, std::span<std::byte> into,
                      std::string_view name);

}  // namespace lab
