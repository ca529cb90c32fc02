// Which worker a new connection goes to: the kernel asks a tiny program that answers with an index
// into the group of listeners.
#pragma once

#include <cstdint>
#include <span>

namespace lab {

/// One CPU and the place of its worker's listener in the SO_REUSEPORT group (the order of
/// listen()).
struct CpuTarget {
  int cpu;               ///< its number, as sched_setaffinity(2) has it
  unsigned group_index;  ///< from 0 on; a listener that is closed moves the last one to its place
};

/// Attaches a generated classic BPF program to the group that `listener_fd` is in: a connection
/// goes to the worker of the CPU on which its SYN is handled, from any other CPU to
/// `default_index`. An index out of range would fall back to the hash, which may pick a dead
/// worker's listener, so it is attached again at every change of the group.
/// @throws std::system_error
/// Source: socket(7), SO_ATTACH_REUSEPORT_CBPF, Linux 4.5.
void steer_by_cpu(int listener_fd, std::span<const CpuTarget> targets, unsigned default_index);

/// Shares of all addresses, one for each worker: which listener of the group has each.
struct SourceShares {
  std::span<const unsigned> group_indices;  ///< by share
  unsigned prefix_bits = 64;                ///< of an IPv6 address; the rest does not count
  /// Odd, and nobody else's: who knows it can send all his clients to one worker.
  std::uint32_t key = 1;
};

/// The same with the client's address in place of the CPU: all connections from one address, or
/// from one IPv6 prefix, go to the same worker. As long as the number of shares and the key are the
/// same, an address keeps its share.
/// @throws std::system_error
void steer_by_source(int listener_fd, const SourceShares& shares);

/// Which share an address has, as the program in the kernel computes it.
/// @param words of the address, as numbers: one of IPv4, four of IPv6
unsigned source_share(std::span<const std::uint32_t> words, const SourceShares& shares);

}  // namespace lab
