#include "tests/fake_kernel/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "tests/fake_kernel/clock.hpp"

namespace lab::fake {

unsigned swarm(Random& random) {
  switch (random.below(3)) {
    case 0:
      return 0;
    case 1:
      return random.between(5, 60);
    default:
      return random.between(100, 600);
  }
}

namespace {

unsigned seldom(Random& random) { return random.chance(500) ? 0 : random.between(2, 40); }

WorkerOptions draw_options(Random& random) {
  constexpr std::array modes{ZeroCopyMode::automatic, ZeroCopyMode::always, ZeroCopyMode::always,
                             ZeroCopyMode::never};
  WorkerOptions options;
  options.connections_max = random.chance(500) ? random.between(4, 20) : random.between(24, 40);
  // So many, and a completion queue so small, that a multishot accept can run.
  if (random.chance(300)) {
    options.connections_max = random.between(100, 400);
    options.accepts_max = random.between(1, 16);
  }
  options.buffer_count = 8U << random.below(7);  // 8 … 512
  options.buffer_size = 64U << random.below(6);  // 64 … 2048
  options.zero_copy = modes[random.below(modes.size())];
  options.zero_copy_threshold = random.between(1, options.buffer_size);
  options.idle_timeout_ms = random.chance(500) ? 0 : random.between(1000, 4000);
  options.drain_deadline_ms = random.between(200, 2000);
  options.receive_renewal_ms = random.between(50, 2000);
  options.pooled_count = 1U << random.between(1, 5);  // 2 … 32
  options.pooled_size = 512U << random.below(3);
  if (serves_http()) options.pooled_size *= 4;  // a head goes into one
  options.peers_on_loopback = random.chance(200);
  options.disabled_ring = true;
  return options;
}

Chances draw_chances(Random& random) {
  Chances chances{};
  chances.at_once = random.between(0, 1000);
  chances.late = seldom(random);
  chances.final_with_data = swarm(random);
  chances.data_in_pieces = swarm(random);
  chances.empty_look = swarm(random) / 20;
  chances.empty_with_buffer = swarm(random);
  chances.send_short = swarm(random);
  chances.send_interrupted = seldom(random);
  chances.zero_copy_fails = seldom(random);
  chances.zero_copy_copied = swarm(random);
  chances.notification_late = swarm(random);
  chances.cancel_misses = swarm(random);
  chances.cancel_already = swarm(random);
  chances.cancel_first = random.between(0, 1000);
  chances.after_cancel = swarm(random);
  chances.close_late = swarm(random);
  chances.read_short = swarm(random);
  chances.accept_error = seldom(random);
  chances.arrives_meanwhile = random.chance(300) ? 950 : swarm(random);
  chances.enter_error = seldom(random);
  chances.error_first = swarm(random);
  return chances;
}

// At least one of them, and often several.
void draw_limits(Random& random, LimitOptions& limits) {
  limits.burst = random.between(1, 12);
  limits.rate = random.chance(700) ? random.between(300, 3000) : 0;
  limits.rate_total = random.chance(300) ? random.between(1000, 1500) : 0;
  limits.connections_max = random.chance(400) ? random.between(1, 4) : 0;
  limits.entries = random.chance(800) ? 1024 : 4;
  limits.key = SipKey{random.next(), random.next()};
  if (random.chance(400) || !limits.any()) {
    limits.denied.resize(2);
    parse_network("192.0.2.0/31", limits.denied[0]);
    parse_network("2001:db8::/47", limits.denied[1]);
  }
}

// A limit of delay goes by the clock of the server, and the rates by when its clients come: one
// of the two is enough for a server that is late.
void draw_delay_limit(Random& random, Scenario& scenario) {
  LimitOptions& limits = scenario.options.limits;
  limits.rate = limits.rate_total = 0;
  limits.delay_max_ms = random.between(1, 40);
  scenario.slow_ns = random.between(20, 120) * millisecond;
  scenario.slow_phase_ns = random.between(100, 800) * millisecond;
}

// 192.0.2.N, the same as a listener on :: has it, or any address of 2001:db8:N::/64.
sockaddr_in6 draw_address(Random& random, unsigned client, bool is_ipv6) {
  sockaddr_in6 peer{};
  const auto byte = static_cast<std::uint8_t>(client);
  const unsigned kind = is_ipv6 ? 2 : random.below(2);
  if (kind == 0) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_addr.s_addr = htonl(0xc0000200U + client);
    std::memcpy(&peer, &ipv4, sizeof ipv4);
    return peer;
  }
  peer.sin6_family = AF_INET6;
  std::uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, byte};
  std::uint8_t network[16] = {0x20, 0x01, 0x0d, 0xb8, 0, byte};
  for (unsigned at = 8; at < 16; ++at) network[at] = static_cast<std::uint8_t>(random.below(256));
  std::memcpy(&peer.sin6_addr, kind == 1 ? mapped : network, 16);
  return peer;
}

Features draw_features(Random& random) {
  Features features;
  if (random.chance(300)) features.pretend(Feature::timer_multishot, EINVAL);
  if (random.chance(500)) features.pretend(Feature::recv_total, EINVAL);
  if (random.chance(300)) {
    features.pretend(Feature::recv_total, EINVAL);
    features.pretend(Feature::recv_retry_limit, EOPNOTSUPP);
  }
  if (random.chance(250)) features.pretend(Feature::slot_options, EOPNOTSUPP);
  if (random.chance(250)) features.pretend(Feature::zero_copy_report, EINVAL);
  if (random.chance(300)) features.pretend(Feature::slot_release, EOPNOTSUPP);
  return features;
}

}  // namespace

const char* name(Behaviour behaviour) noexcept {
  constexpr std::array names{"ping-pong", "bulk",     "slow reader", "never reads",
                             "resets",    "vanishes", "idles"};
  return names[static_cast<std::size_t>(behaviour)];
}

Scenario::Scenario(Random& random)
    : options(draw_options(random)),
      backlog(random.chance(600) ? random.between(1, 6) : random.between(1, 64)),
      chances(draw_chances(random)),
      features(draw_features(random)),
      rotating_slots(random.chance(500)),
      listener_shuts_down(random.chance(500)),
      queue_limit(random.chance(700) ? 65536U : random.between(2, 40)) {
  // A siege: so many that do not read that they can have every buffer before anybody knows them, on
  // a ring large enough for multishot receives, or on one so small that a buffer each is enough.
  const bool siege = random.chance(200);
  if (siege) {
    options.connections_max = 40;
    options.buffer_count = random.chance(500) ? 8 : 256;
  }
  // An ambush: all are let in, each has a multishot receive in flight, and then they send at once.
  const bool ambush = !siege && random.chance(40);
  if (ambush) {
    options.connections_max = 400;
    options.buffer_count = 256;
    options.buffer_size = 1024;
  }
  // Crawlers: a gathered send to one of them takes longer than the idle timeout, and moves.
  const bool crawl = !siege && !ambush && random.chance(40) && plainly_echoes();
  if (crawl) {
    options.buffer_count = 512;
    options.idle_timeout_ms = 1000;
  }
  // A socket that poll calls writable has a third of its room free. With TCP's defaults that is
  // more than 16 KiB; where segments are small it need not be room for a whole buffer, but it is
  // for a bite of 256 bytes.
  const std::uint32_t size = options.buffer_size;
  const std::uint32_t bite = std::min(size, 256U);
  const bool small_room = siege ? options.buffer_count == 8 : ambush || random.chance(300);
  send_room = small_room ? random.between(3 * bite, 3 * size) : random.between(3 * size, 64 * size);
  receive_room = random.between(size, (random.chance(500) ? 4 : 64) * size);
  if (siege) receive_room = 64 * size;
  if (ambush) send_room = random.between(3 * bite, size - 1);
  if (crawl) send_room = 3 * size;
  const bool slow_readers = !siege && random.chance(300);
  latency_ns = random.between(5, random.chance(500) ? 50 : 1000) * microsecond;
  user_timeout_ns = random.between(2000, 10000) * millisecond;

  const unsigned dice = random.below(100);
  ending = dice < 70 ? Ending::served : dice < 98 ? Ending::drained : Ending::stopped;
  // A server that drains says so in its answers, which no script knows.
  if (serves_http() && ending == Ending::drained) ending = Ending::served;
  ending_ns = random.between(1, 1500) * millisecond;

  // Each seed has its own mixture; a crowd that never reads is the case of the guarantee.
  std::array<unsigned, static_cast<std::size_t>(Behaviour::count)> weights{};
  for (unsigned& weight : weights) weight = random.chance(400) ? 0 : random.between(1, 10);
  weights[0] += 1;
  if (!slow_readers) weights[static_cast<std::size_t>(Behaviour::slow_reader)] = 0;
  if (siege || random.chance(300)) {
    weights[static_cast<std::size_t>(Behaviour::never_reads)] = 60;
  }
  if (ambush) weights = {8, 0, 0, 300};
  if (crawl) weights = {1, 0, 10};
  const unsigned sum = std::accumulate(weights.begin(), weights.end(), 0U);
  const unsigned count =
      ambush ? 320 : random.between(siege ? 25 : 1, random.chance(300) ? 100 : 30);
  const std::uint64_t spread =
      random.between(1, siege || random.chance(500) ? 20 : 800) * millisecond;
  const std::uint64_t volume = random.between(1, random.chance(300) ? 200 : 40);
  const bool long_lived = siege || random.chance(300);
  for (unsigned index = 0; index < count; ++index) {
    unsigned draw = random.below(sum);
    std::size_t kind = 0;
    while (draw >= weights[kind]) draw -= weights[kind++];
    PeerPlan plan{};
    plan.behaviour = static_cast<Behaviour>(kind);
    plan.connect_ns = random.below(ambush ? 150 * millisecond : spread);
    plan.lifetime_ns = random.between(300, long_lived ? 8000 : 2500) * millisecond;
    plan.bytes = random.below(size * volume + 1);
    plan.message = random.between(1, size * (random.chance(500) ? 1 : 12));
    plan.pause_ns = random.chance(500) ? 0 : random.below(20) * millisecond;
    plan.ends_with_fin = random.chance(300);
    plan.receive_room = random.between(size, (random.chance(500) ? 3 : 40) * size);
    if (plan.behaviour == Behaviour::never_reads) plan.bytes = ~0U;
    if (ambush && plan.behaviour == Behaviour::never_reads) {
      plan.silent_ns = 300 * millisecond - plan.connect_ns % (200 * millisecond);
      plan.receive_room = 1;
      plan.ends_with_fin = false;
      plan.lifetime_ns = 3000 * millisecond;
    }
    if (plan.behaviour == Behaviour::never_reads && plan.ends_with_fin) {
      plan.bytes = random.between(1, send_room + plan.receive_room + 4 * size);
    }
    // Two seconds at the most for all of it.
    if (plan.behaviour == Behaviour::ping_pong) {
      plan.message =
          std::max<std::uint32_t>(plan.message, static_cast<std::uint32_t>(plan.bytes / 60));
    }
    if (plan.behaviour == Behaviour::slow_reader) plan.pause_ns += 2 * millisecond;
    if (crawl && plan.behaviour == Behaviour::slow_reader) {
      plan.bytes = std::uint64_t{40} * size;
      plan.receive_room = size;
      plan.pause_ns = 150 * millisecond;
    }
    // A short question may have a long answer.
    if (!plainly_echoes() && plan.behaviour == Behaviour::slow_reader) {
      plan.receive_room = std::max(plan.receive_room, 4096U);
    }
    peers.push_back(plan);
  }
  if (dials()) draw_upstreams(random, *this);
  if (subject == Subject::limited) {
    draw_limits(random, options.limits);
    if (random.chance(400)) draw_delay_limit(random, *this);
    const unsigned clients = random.between(1, clients_max);
    for (PeerPlan& plan : peers) {
      plan.client = random.below(clients);
      plan.address = draw_address(random, plan.client, plan.client % 2 == 1);
    }
  }
  chances.entry_shortened = swarm(random);
  chances.finished_last = swarm(random);
  // The oracle of the limits counts requests in the order in which they are taken.
  if (subject == Subject::limited) chances.finished_last = 0;
  if (random.chance(300)) features.pretend(Feature::recv_bundle, EOPNOTSUPP);
}

std::string Scenario::describe() const {
  std::array<unsigned, static_cast<std::size_t>(Behaviour::count)> counts{};
  for (const PeerPlan& plan : peers) ++counts[static_cast<std::size_t>(plan.behaviour)];
  std::string crowd;
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    if (counts[kind] == 0) continue;
    crowd += fmt::format("{}{} {}", crowd.empty() ? "" : ", ", counts[kind],
                         name(static_cast<Behaviour>(kind)));
  }
  std::string limited;
  if (const LimitOptions& limits = options.limits; limits.any()) {
    limited = fmt::format(
        "{}/s of {} clients, burst {}, {}/s in all, {} connections each, {} denied, "
        "delay {} of {} ms in phases of {} ms; ",
        limits.rate, limits.entries, limits.burst, limits.rate_total, limits.connections_max,
        limits.denied.size(), limits.delay_max_ms, slow_ns / millisecond,
        slow_phase_ns / millisecond);
  }
  constexpr std::array endings{"served", "drained", "stopped"};
  constexpr std::array modes{"auto", "always", "never"};
  return fmt::format(
      "{} slots, {} x {} B buffers, {} x {} B pooled, zero copy {} from {} B, idle {} ms, drain {} "
      "ms, backlog {}, "
      "rooms {}/{} B, latency {} us, user timeout {} ms, renewal {} ms, without{}{}{}{}{}{}{}, "
      "ends "
      "{} ({} ms); {}{}",
      options.connections_max, options.buffer_count, options.buffer_size, options.pooled_count,
      options.pooled_size, modes[static_cast<std::size_t>(options.zero_copy)],
      options.zero_copy_threshold, options.idle_timeout_ms, options.drain_deadline_ms, backlog,
      send_room, receive_room, latency_ns / microsecond, user_timeout_ns / millisecond,
      options.receive_renewal_ms, features.has(Feature::timer_multishot) ? "" : " timer-multishot",
      features.has(Feature::recv_retry_limit) ? "" : " recv-retry-limit",
      features.has(Feature::recv_total) ? "" : " recv-total",
      features.has(Feature::recv_bundle) ? "" : " recv-bundle",
      features.has(Feature::slot_options) ? "" : " slot-options",
      features.has(Feature::zero_copy_report) ? "" : " zero-copy-report",
      features.has(Feature::slot_release) ? "" : " slot-release",
      endings[static_cast<std::size_t>(ending)], ending_ns / millisecond, limited, crowd);
}

}  // namespace lab::fake
