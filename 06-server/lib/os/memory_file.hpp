// A file without a name, for bytes that processes hand to each other.
#pragma once

#include "02-files/lib/fd.hpp"

namespace lab {

/// Linux: memory, memfd_create(2). Elsewhere a file of $TMPDIR, or /tmp, whose name is gone before
/// anything is in it, and that no other user can open.
/// @param name for who looks into /proc
/// @throws std::system_error
Fd memory_file(const char* name);

/// From now on nobody changes its size. Linux: F_ADD_SEALS of fcntl(2). Elsewhere nothing keeps
/// those who have it from that. @throws std::system_error
void seal_size(const Fd& file);

}  // namespace lab
