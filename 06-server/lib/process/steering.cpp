#include "06-server/lib/process/steering.hpp"

#include <linux/filter.h>
#include <sys/socket.h>

#include <vector>

#include "01-core/lib/check.hpp"

namespace lab {

void steer_by_cpu(int listener_fd, std::span<const CpuTarget> targets, unsigned default_index) {
  std::vector<sock_filter> program;
  program.reserve(2 * targets.size() + 2);
  program.push_back(
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_CPU)));
  for (const CpuTarget& target : targets) {
    // Equal: the next instruction answers. Otherwise it is jumped over.
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(target.cpu), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, target.group_index));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, default_index));
  const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                            .filter = program.data()};
  check_errno(
      setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached),
      "SO_ATTACH_REUSEPORT_CBPF");
}

}  // namespace lab
