// How much memory this process's user may lock, which is what registered buffers are charged to.
#pragma once

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <limits>

namespace lab {

/// Bytes of RLIMIT_MEMLOCK; the largest number where there is no limit, or CAP_IPC_LOCK exempts.
/// All processes of the user share it, so all of it may be less than what is left.
inline std::uint64_t locked_memory_limit() noexcept {
  constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  const bool known = syscall(SYS_capget, &header, sets) == 0;
  if (known && (sets[0].effective & (1U << CAP_IPC_LOCK)) != 0) return no_limit;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return no_limit;
  return limit.rlim_cur;
}

}  // namespace lab
