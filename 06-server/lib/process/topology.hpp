// How a server's workers are arranged: as processes with a listener each, or as threads behind one.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "06-server/lib/engine/connection_balance.hpp"

namespace lab {

/// How they are arranged.
enum class Topology : std::uint8_t {
  reuseport,  ///< a process for each worker, and the kernel shares out the clients
  reactors    ///< one process: a thread accepts, and hands each client to one of the others
};

/// Which processes a server has, and who counts in which block of the statistics: a worker in the
/// one with its number; behind the reactors comes the acceptor, and what its block says of the
/// process (heartbeat, starts, serving) holds for all of them.
struct ProcessLayout {
  Topology topology = Topology::reuseport;                     ///< processes or threads
  ConnectionBalance balance = ConnectionBalance::round_robin;  ///< which reactor gets a client
  unsigned workers = 1;                                        ///< or reactors

  /// True where the workers are threads.
  bool has_reactors() const noexcept { return topology == Topology::reactors; }
  /// Those of the workers; there are others beside them.
  unsigned processes() const noexcept { return has_reactors() ? 1 : workers; }
  /// Blocks of statistics.
  unsigned blocks() const noexcept { return has_reactors() ? workers + 1 : workers; }
  /// The block of a process as a whole.
  unsigned block_of(unsigned process) const noexcept { return has_reactors() ? workers : process; }
  /// All blocks that a process counts in: from first_block() up to, not including, end_block().
  unsigned first_block(unsigned process) const noexcept { return has_reactors() ? 0 : process; }
  /// Behind the last one.
  unsigned end_block(unsigned process) const noexcept {
    return has_reactors() ? blocks() : process + 1;
  }

  /// Who counts in a block, for the log: "worker 3", "reactor 3", "acceptor".
  std::string name(unsigned block) const {
    if (!has_reactors()) return fmt::format("worker {}", block);
    return block == workers ? "acceptor" : fmt::format("reactor {}", block);
  }
  /// "2 workers, steered by CPU", "2 reactors, round-robin"
  /// @param steering of the workers, in words
  std::string describe(const char* steering) const {
    const char* const how = !has_reactors()                        ? steering
                            : balance == ConnectionBalance::fewest ? "fewest connections first"
                                                                   : "round-robin";
    return fmt::format("{} {}{}, {}", workers, has_reactors() ? "reactor" : "worker",
                       workers == 1 ? "" : "s", how);
  }
};

}  // namespace lab
