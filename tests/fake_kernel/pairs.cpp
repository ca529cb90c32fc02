// The two ends of a proxy: its clients, and the upstreams that it dials.
#include <algorithm>
#include <cerrno>
#include <numeric>

#include "tests/fake_kernel/network.hpp"

namespace lab::fake {

namespace {

bool heard_all(const Socket& socket) noexcept {
  return socket.closed && socket.arrived == socket.taken && socket.read == socket.taken;
}

}  // namespace

std::shared_ptr<Socket> Network::make_socket() {
  auto socket = std::make_shared<Socket>();
  socket->id = ++sockets_;
  socket->script = make_script(random_.next());
  socket->dialled = true;
  socket->send_room = scenario_.send_room;
  socket->active_at = socket->acknowledged_at = socket->all_sent_at = clock_.now();
  sockets_of_pairs_.push_back(socket);
  return socket;
}

void Network::dial(const std::shared_ptr<Socket>& socket, unsigned upstream) {
  const UpstreamPlan& kind = scenario_.upstreams[upstream];
  std::uint64_t wait = 2 * scenario_.latency_ns;
  if (random_.chance(kind.late)) wait += random_.between(1, 1500) * millisecond;
  if (random_.chance(kind.refuses)) {
    socket->dial.error = random_.chance(800) ? ECONNREFUSED : EHOSTUNREACH;
  } else if (random_.chance(kind.hangs)) {
    socket->dial.error = ETIMEDOUT;
    wait = 130'000 * millisecond;
  }
  socket->dial.at = clock_.now() + wait;
  clock_.after(wait, [] {});
  if (socket->dial.error != 0) return;

  upstream_peers_.push_back(std::make_unique<Peer>());
  Peer& peer = *upstream_peers_.back();
  peer.plan = draw_upstream_peer(kind, scenario_, random_);
  peer.socket = socket;
  socket->peer = &peer;
  socket->peer_room = peer.plan.receive_room;
  socket->error_before_data = random_.chance(scenario_.chances.error_first);
  trace_.note("#{} will be taken: {}, {} B of its own{}", socket->id, name(peer.plan.behaviour),
              peer.plan.bytes, peer.plan.ends_with_fin ? ", then its end" : "");
  wake(peer, wait + peer.plan.silent_ns);
  const Behaviour behaviour = peer.plan.behaviour;
  if (behaviour != Behaviour::bulk && behaviour != Behaviour::slow_reader) {
    clock_.after(wait + peer.plan.lifetime_ns, [this, &peer] { end_of_life(peer); });
  }
}

void Network::join(Socket& client, Socket& upstream) {
  client.other = &upstream;
  upstream.other = &client;
  client.script->joins(*upstream.script);
  upstream.script->joins(*client.script);
}

// An end says that all has come: in order, and from the other side.
void Network::judge_end(const Socket& socket) {
  const bool always = scenario_.features.has(Feature::slot_options) && !draining_ &&
                      scenario_.options.idle_timeout_ms == 0;
  const Socket* other = socket.other;
  if (!always || other == nullptr) return;
  if (other->fin && socket.taken == other->line.size() + other->sent) return;
  trace_.fail("content", "#{} hears the end after {} B, and #{} has said {}{}", socket.id,
              socket.taken, other->id, other->sent, other->fin ? "" : " and goes on");
}

// A client. It knows nothing of what it will be answered.
void Network::talk_through(Peer& peer) {
  Socket& socket = *peer.socket;
  const PeerPlan& plan = peer.plan;
  const std::uint64_t waiting = socket.arrived - socket.read;
  const auto send_and_end = [&](bool ends) {
    send(peer, plan.bytes - socket.sent);
    if (ends && socket.sent == plan.bytes) socket.fin = true;
  };
  switch (plan.behaviour) {
    case Behaviour::ping_pong: {
      socket.read += waiting;
      const bool answered = socket.read >= socket.sent || socket.closed;
      if (socket.sent < plan.bytes && (answered || socket.sent % plan.message != 0)) {
        const std::uint64_t message = plan.message - socket.sent % plan.message;
        send(peer, std::min(message, plan.bytes - socket.sent));
        wake(peer, plan.pause_ns + scenario_.latency_ns);
      } else if (socket.sent == plan.bytes && answered) {
        socket.fin = true;
      }
      break;
    }
    case Behaviour::bulk:
      socket.read += waiting;
      send_and_end(true);
      break;
    case Behaviour::slow_reader:
      socket.read += std::min<std::uint64_t>(waiting, plan.receive_room / 4 + 1);
      send_and_end(true);
      wake(peer, plan.pause_ns + scenario_.latency_ns);
      break;
    case Behaviour::never_reads:
      send_and_end(plan.ends_with_fin);
      break;
    case Behaviour::resets:
    case Behaviour::vanishes:
      socket.read += waiting;
      send(peer, plan.message);
      wake(peer, 10 * millisecond + plan.pause_ns);
      break;
    case Behaviour::idles:
    case Behaviour::count:
      socket.read += waiting;
      break;
  }
  if (waiting > 0) pump(peer.socket);
  if (!heard_all(socket)) return;
  judge_end(socket);
  // It says the rest, if it is listened to and has an end.
  const bool goes_on = socket.half && (plan.behaviour == Behaviour::bulk ||
                                       plan.behaviour == Behaviour::slow_reader ||
                                       plan.behaviour == Behaviour::ping_pong);
  if (!goes_on) socket.fin = true;
  if (!socket.fin) return;
  peer.answered = true;
  finish(peer);
}

// An upstream: says as much as it hears, and something of its own.
void Network::serve(Peer& peer) {
  Socket& socket = *peer.socket;
  const PeerPlan& plan = peer.plan;
  const std::uint64_t waiting = socket.arrived - socket.read;
  const bool slow = plan.behaviour == Behaviour::slow_reader;
  if (slow) {
    socket.read += std::min<std::uint64_t>(waiting, plan.receive_room / 4 + 1);
  } else if (plan.behaviour != Behaviour::never_reads) {
    socket.read += waiting;
  }
  const bool mute = plan.behaviour == Behaviour::idles;
  const std::uint64_t due = mute ? 0 : plan.bytes + (plan.ends_with_fin ? 0 : socket.read);
  if (due > socket.sent) send(peer, due - socket.sent);
  const bool end_heard = heard_all(socket);
  if (socket.sent >= due && (plan.ends_with_fin || end_heard)) socket.fin = true;
  if (waiting > 0) pump(peer.socket);
  if (slow || socket.sent < due) wake(peer, plan.pause_ns + 2 * millisecond);
  if (!end_heard) return;
  judge_end(socket);
  if (!socket.half) socket.fin = true;  // nobody listens
  if (!socket.fin) return;
  peer.answered = true;
  finish(peer);
}

}  // namespace lab::fake
