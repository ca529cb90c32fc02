#include "06-server/lib/os/always_readable.hpp"

#include <sys/eventfd.h>

#include "01-core/lib/check.hpp"

namespace lab {

Fd always_readable() { return Fd(check_errno(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")); }

}  // namespace lab
