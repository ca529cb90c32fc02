// The listeners of one port, one for each worker, and which of them a new connection goes to.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "03-network/lib/listener.hpp"

namespace lab {

/// Who decides which worker a new connection goes to.
enum class Steering : std::uint8_t {
  automatic,  ///< cpu when each processor of the affinity mask has one worker, else hash
  cpu,        ///< to the worker on the processor that handles the SYN
  hash,       ///< the kernel's own choice
  source      ///< to the one that has the client's address: all its connections go there
};

/// They stay open while workers die, so that who waits in a backlog is served by the next worker.
class ListenerGroup {
 public:
  /// How many, where, and who gets what.
  struct Options {
    ListenerOptions listener;  ///< reuse_port is the group's own choice
    unsigned workers = 1;      ///< one listener each
    /// Sockets that listen already, see PassedSockets: one for all workers, or one each. The group
    /// closes them, and what it closes is never shut down.
    std::vector<int> passed;
    bool pin = true;  ///< each worker to a CPU of the affinity mask, see cpu()
    Steering steering =
        Steering::automatic;           ///< told to the kernel again at each change of the group
    unsigned source_prefix_bits = 64;  ///< of an IPv6 address, for Steering::source
  };

  /// Opens all of them, where nobody else listens.
  /// @throws std::runtime_error with the cause and its cure, std::invalid_argument
  explicit ListenerGroup(const Options& options);

  /// @return the worker's listener; nullptr while it is given up
  const Listener* of(unsigned worker) const noexcept {
    return listeners_[worker] ? &*listeners_[worker] : nullptr;
  }
  /// The CPU that the worker is to be pinned to; -1: none.
  int cpu(unsigned worker) const noexcept {
    return options_.pin ? cpus_[worker % cpus_.size()] : -1;
  }
  std::uint16_t port() const noexcept { return options_.listener.port; }  ///< never 0
  /// "127.0.0.1:8000", "[::1]:8000"
  std::string address() const;

  /// True where somebody else has the sockets, too, and the next server gets them.
  bool passed() const noexcept { return !options_.passed.empty(); }

  /// The last one is not given up: the clients wait there, and nobody else can take the port. Nor
  /// is one that was passed, for it stays open elsewhere.
  bool may_give_up(unsigned worker) const noexcept {
    return listeners_[worker].has_value() && order_.size() > 1 && !passed();
  }
  /// What happens to the clients of a worker that is dead and not given up, for the log.
  const char* waiting_words() const noexcept;
  /// REQUIRES: may_give_up. New clients go to the others. Those that wait there are reset, or go to
  /// the others too where waiting_clients_move().
  void give_up(unsigned worker);
  /// REQUIRES: given up. @throws std::system_error
  void open_again(unsigned worker);
  /// Refuses what comes from now on; at a socket that was passed it waits for the next server.
  void close_all() noexcept;

  /// How a client finds its worker, for the log.
  const char* steering_words() const noexcept;

  /// True with net.ipv4.tcp_migrate_req, Linux 5.14.
  static bool waiting_clients_move();

 private:
  void open();
  void take_passed();
  bool shares_one() const noexcept { return options_.passed.size() == 1 && options_.workers > 1; }
  bool steers_by_cpu() const noexcept;
  bool steers_by_source() const noexcept {
    return options_.workers > 1 && options_.steering == Steering::source && !passed();
  }
  void attach_steering();
  void steer_to_cpus();
  void steer_to_sources();

  Options options_;
  std::vector<int> cpus_;
  const std::uint32_t source_key_;
  std::vector<std::optional<Listener>> listeners_;  ///< by worker
  std::vector<unsigned> order_;  ///< worker of each listener, as the SO_REUSEPORT group has them
};

}  // namespace lab
