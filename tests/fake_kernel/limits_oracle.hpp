// What the limits of a server must do, seen from outside: a model of each client's right, from what
// the kernel is asked to do. What the server decides cannot be seen at once, so the model has two
// ends: what it surely counted, and what it may have counted at the most.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "06-server/lib/limits/rate_limit.hpp"
#include "tests/fake_kernel/clock.hpp"
#include "tests/fake_kernel/delay_oracle.hpp"
#include "tests/fake_kernel/network.hpp"
#include "tests/fake_kernel/scenario.hpp"
#include "tests/fake_kernel/trace.hpp"

namespace lab::fake {

class LimitsOracle {
 public:
  LimitsOracle(const Scenario& scenario, Clock& clock, Trace& trace);

  /// An accept that asks for an address, or does not.
  void judge_accept(bool asks, bool multishot);
  /// The server begins to serve a connection.
  void let_in(Socket& socket);
  /// Something was received, and answered: the first time it was counted with the connection.
  void request(const std::shared_ptr<Socket>& socket);
  /// The server has seen all that was posted before this, and said what follows.
  void turn_over();
  /// The server is told what was posted. @param with_tick a tick is among it
  void turn_begins(bool with_tick) noexcept {
    if (with_tick) delay_.takes_tick(clock_.now());
  }
  void judge_receive(const Socket& socket);
  /// It may be made to wait.
  bool paces(const Socket& socket) const noexcept;
  /// What ends a connection begins: the first time counts.
  /// @param draining one that was never served may have been let in all the same
  void leaves(Socket& socket, bool draining);
  /// Nobody is cut short who was not let in.
  bool refuses(const Socket& socket) const noexcept { return limits_.any() && !socket.let_in; }

  std::uint64_t refused() const noexcept { return refused_; }

 private:
  /// A time between two: what the server knows is somewhere in it.
  struct Due {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
  };
  struct Client {
    unsigned open = 0;          ///< connections that are let in
    unsigned just_left = 0;     ///< and those that were, and left at
    std::uint64_t left_at = 0;  ///< this time: what a turn decides is not seen in its order
    Due due;
  };

  /// Between what the server decided and what is seen of it.
  static constexpr std::uint64_t slack_ns = millisecond;

  bool has_rate() const noexcept { return limits_.rate != 0; }
  bool may_be_refused(const Client& client, const Socket& socket) const;
  void charge(Due& due, const RateLimit& limit) const;
  /// One that is forgotten begins anew.
  bool forgets() const noexcept { return limits_.entries < clients_max; }

  const LimitOptions& limits_;
  Clock& clock_;
  Trace& trace_;
  RateLimit each_;
  RateLimit total_;
  DelayOracle delay_;
  std::map<unsigned, Client> clients_;
  Due total_due_;
  std::vector<std::shared_ptr<Socket>> asked_;  ///< what the server may not know yet
  std::uint64_t refused_ = 0;
};

}  // namespace lab::fake
