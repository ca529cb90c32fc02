// Which worker a new connection goes to: the kernel asks a tiny program that answers with an index
// into the group of listeners.
#pragma once

#include <span>

namespace lab {

/// One CPU and the place of its worker's listener in the SO_REUSEPORT group (the order of
/// listen()).
struct CpuTarget {
  int cpu;
  unsigned group_index;
};

/// Attaches a generated classic BPF program to the group that `listener_fd` is in: a connection
/// goes to the worker of the CPU on which its SYN is handled, from any other CPU to
/// `default_index`. An index out of range would fall back to the hash, which may pick a dead
/// worker's listener, so it is attached again at every change of the group.
/// @throws std::system_error
/// Source: socket(7), SO_ATTACH_REUSEPORT_CBPF, Linux 4.5.
void steer_by_cpu(int listener_fd, std::span<const CpuTarget> targets, unsigned default_index);

}  // namespace lab
