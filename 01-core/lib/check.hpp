// Turns a failed set-up call into an exception that says which call and why. For set-up only: the
// loop never throws, a handler looks at its res itself.
//   check(io_uring_register_files_sparse(ring.raw(), 1024), "io_uring_register_files_sparse");
#pragma once

#include <cerrno>
#include <system_error>

namespace lab {

/// For calls that return -errno (liburing's way).
/// @param res what the call returned
/// @param what the call's name, for the message
/// @return res, when it is not negative
/// @throws std::system_error with the errno otherwise
inline int check(int res, const char* what) {
  if (res < 0) throw std::system_error(-res, std::generic_category(), what);
  return res;
}

/// For calls that return -1 and set errno (libc's way).
/// @return res, when it is not negative
/// @throws std::system_error with errno otherwise
inline int check_errno(int res, const char* what) {
  if (res < 0) throw std::system_error(errno, std::generic_category(), what);
  return res;
}

}  // namespace lab
