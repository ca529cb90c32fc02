// Opens a file that is in a folder, whatever somebody does to the folder meanwhile.
#pragma once

#include <string>

namespace lab {

/// For reading; it waits for nobody. No symlink is followed and no ".." leads out.
/// Linux: openat2(2), 5.6, in one step. Elsewhere one openat() for each part of the path.
/// @param path from the folder on; empty: the folder itself
/// @return a descriptor, or -1 with errno: ELOOP or ENOTDIR where there is a symlink
int open_beneath(int folder, const std::string& path) noexcept;

}  // namespace lab
