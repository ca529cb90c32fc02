#include "06-server/lib/process/topology_flags.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <system_error>

namespace lab {

void add_topology_flags(CommandLine& line, SupervisorOptions& supervisor) {
  const std::string group = "Processes";
  line.add_choice(
          "--topology", supervisor.topology,
          {{"reuseport", Topology::reuseport}, {"reactors", Topology::reactors}},
          "reuseport: each worker is a process with a listener of its own; reactors: the workers "
          "are threads of one process, and one more accepts and hands each connection to one of "
          "them")
      .default_str("reuseport")
      .group(group);
  line.add_choice(
          "--connection-balance", supervisor.balance,
          {{"round-robin", ConnectionBalance::round_robin}, {"fewest", ConnectionBalance::fewest}},
          "Which reactor gets a connection: one after the other, or the one with the fewest")
      .default_str("round-robin")
      .group(group);
}

void check_topology(const CommandLine& line, const SupervisorOptions& supervisor) {
  const bool reactors = supervisor.topology == Topology::reactors;
  if (reactors && line.count("--steer") != 0) {
    throw std::invalid_argument(
        "--steer: chooses among the listeners of several processes, and --topology reactors has "
        "one. Cure: --connection-balance");
  }
  if (!reactors && line.count("--connection-balance") != 0) {
    throw std::invalid_argument(
        "--connection-balance: the kernel shares out the connections. Cure: --topology reactors, "
        "or --steer");
  }
}

void try_topology(const SupervisorOptions& supervisor, const Features& features) {
  if (supervisor.topology != Topology::reactors || supervisor.portable) return;
  if (features.has(Feature::message_ring)) return;
  throw std::runtime_error(fmt::format(
      "cannot start: --topology reactors needs messages between rings, which do not work here: {}. "
      "Cure: --topology reuseport",
      std::generic_category().message(features.error(Feature::message_ring))));
}

}  // namespace lab
