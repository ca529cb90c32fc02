#include "tests/fake_kernel/limits_oracle.hpp"

#include <algorithm>
#include <utility>

namespace lab::fake {

LimitsOracle::LimitsOracle(const Scenario& scenario, Clock& clock, Trace& trace)
    : limits_(scenario.options.limits),
      clock_(clock),
      trace_(trace),
      each_(std::max(limits_.rate, 1U), limits_.burst),
      total_(std::max(limits_.rate_total, 1U), std::max(limits_.rate_total / 10, 1U)),
      delay_(limits_.delay_max_ms, clock.now()) {}

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
  if (delay_.surely_refuses(socket.came_at)) fail("comes while the server is behind");
  const std::uint64_t now = clock_.now();
  if (has_rate() && !forgets() && each_.wait_ns(client.due.least, now) > slack_ns) {
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

// What it costs is known at once, and that the server knows it only after its next turn.
void LimitsOracle::request(const std::shared_ptr<Socket>& socket) {
  if (!limits_.any() || !std::exchange(socket->asked, true)) return;
  // What comes while a connection ends may be dropped.
  if (!socket->ending && !socket->closed && !socket->dead) asked_.push_back(socket);
  Due& due = clients_[socket->peer->plan.client].due;
  const std::uint64_t now = clock_.now();
  std::uint64_t wait = 0;
  if (has_rate()) {
    due.most = each_.count(due.most, now);
    wait = each_.wait_ns(due.most, now);
  }
  if (limits_.rate_total != 0) {
    total_due_.most = total_.count(total_due_.most, now);
    wait = std::max(wait, total_.wait_ns(total_due_.most, now));
  }
  socket->paced_most = std::max(socket->paced_most, now + wait);
}

void LimitsOracle::turn_over() {
  const std::uint64_t now = clock_.now();
  const std::uint64_t earlier = now - std::min(now, slack_ns);
  for (const auto& socket : asked_) {
    Due& due = clients_[socket->peer->plan.client].due;
    std::uint64_t wait = 0;
    if (has_rate()) {
      due.least = each_.count(due.least, earlier);
      if (!forgets()) wait = each_.wait_ns(due.least, now);
    }
    if (limits_.rate_total != 0) {
      total_due_.least = total_.count(total_due_.least, earlier);
      wait = std::max(wait, total_.wait_ns(total_due_.least, now));
    }
    socket->paced_least = now + wait;
  }
  asked_.clear();
}

void LimitsOracle::judge_receive(const Socket& socket) {
  if (!limits_.any() || clock_.now() + 2 * slack_ns >= socket.paced_least) return;
  trace_.fail("limits", "#{} is received from, and its client {} asks too often", socket.id,
              socket.peer->plan.client);
}

bool LimitsOracle::paces(const Socket& socket) const noexcept {
  return clock_.now() < socket.paced_most + 100 * millisecond;
}

void LimitsOracle::leaves(Socket& socket, bool draining) {
  if (!limits_.any() || std::exchange(socket.left, true)) return;
  const unsigned number = socket.peer->plan.client;
  Client& client = clients_[number];
  if (socket.let_in) {
    --client.open;
    if (std::exchange(client.left_at, clock_.now()) != clock_.now()) client.just_left = 0;
    ++client.just_left;
  } else if (!draining) {
    ++refused_;
    if (may_be_refused(client, socket)) return;
    trace_.fail("limits", "#{} is refused, and its client {} may come", socket.id, number);
  }
}

bool LimitsOracle::may_be_refused(const Client& client, const Socket& socket) const {
  const unsigned number = socket.peer->plan.client;
  if (number < denied_clients && !limits_.denied.empty()) return true;
  const std::uint64_t now = clock_.now();
  const unsigned open = client.open + (client.left_at == now ? client.just_left : 0);
  if (limits_.connections_max != 0 && open >= limits_.connections_max) return true;
  if (delay_.may_refuse(socket.came_at)) return true;
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
