// The upstreams of a seed whose server dials, and who they are that serve there.
#include <algorithm>
#include <numeric>

#include "tests/fake_kernel/clock.hpp"
#include "tests/fake_kernel/scenario.hpp"

namespace lab::fake {

namespace {

constexpr std::uint32_t spoken_to_room = 1024;  ///< of a client that upstreams speak to first

// Upstreams speak first, to clients that read nothing and speak while it is not known who they are:
// their sockets take no more, and then what they say is another one's.
void plan_introductions(Scenario& scenario) {
  scenario.introduction_ns = 100 * millisecond;
  scenario.latency_ns = 20 * microsecond;
  scenario.ending = Ending::served;
  scenario.options.idle_timeout_ms = 0;
  scenario.options.connections_max = 40;
  scenario.options.buffer_count = 64;  // few enough for a receive to wait for room first
  scenario.options.buffer_size = 256;
  scenario.options.pooled_count = 32;
  scenario.send_room = 6 * scenario.options.buffer_size;
  scenario.user_timeout_ns = 10'000 * millisecond;
  scenario.peers.resize(std::min<std::size_t>(scenario.peers.size(), 8));
  for (PeerPlan& plan : scenario.peers) {
    plan.behaviour = Behaviour::never_reads;
    plan.connect_ns %= 50 * millisecond;
    plan.silent_ns = 20 * millisecond;
    plan.lifetime_ns = 1500 * millisecond;
    plan.bytes = 64U * scenario.options.buffer_size;
    plan.ends_with_fin = false;
    plan.receive_room = spoken_to_room;
  }
  for (UpstreamPlan& plan : scenario.upstreams) {
    plan = {};
    plan.weights[static_cast<std::size_t>(Behaviour::bulk)] = 1;
  }
}

}  // namespace

// One of them at least takes most of the connections.
void draw_upstreams(Random& random, Scenario& scenario) {
  scenario.upstreams.resize(upstreams_max);
  for (UpstreamPlan& plan : scenario.upstreams) {
    plan.refuses = swarm(random);
    plan.hangs = swarm(random) / 2;
    plan.late = swarm(random) / 2;
    for (unsigned& weight : plan.weights) weight = random.chance(600) ? 0 : random.between(1, 3);
    plan.weights[static_cast<std::size_t>(Behaviour::bulk)] = random.between(2, 12);
  }
  if (Random(random).chance(100)) plan_introductions(scenario);  // of the others nothing changes
}

PeerPlan draw_upstream_peer(const UpstreamPlan& kind, const Scenario& scenario, Random& random) {
  const auto* weights = kind.weights;
  const unsigned sum = std::accumulate(std::begin(kind.weights), std::end(kind.weights), 0U);
  unsigned draw = random.below(sum);
  std::size_t index = 0;
  while (draw >= weights[index]) draw -= weights[index++];
  const unsigned size = scenario.options.buffer_size;
  PeerPlan plan{};
  plan.behaviour = static_cast<Behaviour>(index);
  // One that answers is one that answers.
  if (plan.behaviour == Behaviour::ping_pong) plan.behaviour = Behaviour::bulk;
  plan.silent_ns = random.chance(700) ? 0 : random.below(300) * millisecond;
  plan.lifetime_ns = random.between(1, random.chance(500) ? 50 : 3000) * millisecond;
  plan.bytes = random.chance(500) ? 0 : random.below(size * 20 + 1);
  plan.pause_ns = random.chance(500) ? 0 : random.below(10) * millisecond;
  plan.ends_with_fin = random.chance(200);
  plan.receive_room = random.between(size, (random.chance(500) ? 3 : 40) * size);
  if (scenario.introduction_ns > 0) {
    plan.silent_ns = 0;
    plan.bytes = spoken_to_room + scenario.send_room * 5 / 6;  // poll calls that full
  }
  return plan;
}

}  // namespace lab::fake
