#include "tests/fake_kernel/limits_oracle.hpp"

#include <algorithm>
#include <utility>

namespace lab::fake {

LimitsOracle::LimitsOracle(const Scenario& scenario, Clock& clock, Trace& trace)
    : limits_(scenario.options.limits),
      clock_(clock),
      trace_(trace),
      each_(std::max(limits_.rate, 1U), limits_.burst),
      total_(std::max(limits_.rate_total, 1U), std::max(limits_.rate_total / 10, 1U)) {}

void LimitsOracle::judge_accept(bool asks, bool multishot) {
  if (asks == limits_.any() && !(asks && multishot)) return;
  trace_.fail("safety", "a{} accept that {} an address", multishot ? " multishot" : "n",
              asks ? "asks for" : "does not ask for");
}

void LimitsOracle::let_in(Socket& socket) {
  if (!limits_.any()) return;
  const unsigned number = socket.peer->plan.client;
  Client& client = clients_[number];
  const auto fail = [&](const char* why) {
    trace_.fail("limits", "#{} is let in, and its client {} {}", socket.id, number, why);
  };
  if (number < denied_clients && !limits_.denied.empty()) fail("is denied");
  if (limits_.connections_max != 0 && client.open >= limits_.connections_max) {
    fail("has as many connections as it may");
  }
  // One that is forgotten begins anew.
  const bool forgets = limits_.entries < clients_max;
  const std::uint64_t now = clock_.now();
  if (has_rate() && !forgets && each_.wait_ns(client.due.least, now) > slack_ns) {
    fail("comes too often");
  }
  if (limits_.rate_total != 0 && total_.wait_ns(total_due_.least, now) > slack_ns) {
    fail("is one too many in all");
  }
  socket.let_in = true;
  ++client.open;
  charge(client.due, each_);
  charge(total_due_, total_);
}

void LimitsOracle::leaves(Socket& socket, bool draining) {
  if (!limits_.any() || std::exchange(socket.left, true)) return;
  const unsigned number = socket.peer->plan.client;
  Client& client = clients_[number];
  if (socket.let_in) {
    --client.open;
  } else if (!draining) {
    ++refused_;
    if (may_be_refused(client, number)) return;
    trace_.fail("limits", "#{} is refused, and its client {} may come", socket.id, number);
  }
}

bool LimitsOracle::may_be_refused(const Client& client, unsigned number) const {
  if (number < denied_clients && !limits_.denied.empty()) return true;
  const std::uint64_t now = clock_.now();
  if (limits_.connections_max != 0 && client.open >= limits_.connections_max) return true;
  const std::uint64_t earlier = now - std::min(now, slack_ns);
  if (has_rate() && each_.wait_ns(client.due.most, earlier) > 0) return true;
  return limits_.rate_total != 0 && total_.wait_ns(total_due_.most, earlier) > 0;
}

void LimitsOracle::charge(Due& due, const RateLimit& limit) const {
  const std::uint64_t now = clock_.now();
  due.least = limit.count(due.least, now - std::min(now, slack_ns));
  due.most = limit.count(due.most, now);
}

}  // namespace lab::fake
