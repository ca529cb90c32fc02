#include "tests/fake_kernel/network.hpp"

#include <algorithm>
#include <cerrno>

namespace lab::fake {

Network::Network(const Scenario& scenario, Random& random, Clock& clock, Trace& trace)
    : scenario_(scenario), random_(random), clock_(clock), trace_(trace) {
  for (const PeerPlan& plan : scenario.peers) {
    peers_.push_back(std::make_unique<Peer>());
    peers_.back()->plan = plan;
  }
}

void Network::start() {
  for (const auto& peer : peers_) {
    clock_.after(peer->plan.connect_ns, [this, &peer = *peer] { connect(peer); });
  }
}

const Peer* Network::undone() const noexcept {
  for (const auto& peer : peers_) {
    if (!peer->done) return peer.get();
  }
  return nullptr;
}

void Network::hurry() {
  for (const auto& peer : peers_) {
    if (peer->socket == nullptr) return connect(*peer);
  }
}

void Network::connect(Peer& peer) {
  if (peer.socket != nullptr) return;        // it was hurried
  if (queue_.size() >= scenario_.backlog) {  // the SYN is dropped and sent again
    clock_.after(random_.between(20, 200) * millisecond, [this, &peer] { connect(peer); });
    return;
  }
  auto socket = std::make_shared<Socket>();
  socket->id = ++sockets_;
  socket->script = make_script(random_.next());
  const bool ends_itself = peer.plan.behaviour == Behaviour::ping_pong ||
                           peer.plan.behaviour == Behaviour::bulk ||
                           peer.plan.behaviour == Behaviour::slow_reader;
  peer.plan.bytes = std::min(peer.plan.bytes, socket->script->says());
  socket->script->begin(
      {.bytes = peer.plan.behaviour == Behaviour::idles ? 0 : peer.plan.bytes,
       .message = peer.plan.message,
       .one_by_one = peer.plan.behaviour == Behaviour::ping_pong,
       .finishes = ends_itself ||
                   (peer.plan.behaviour == Behaviour::never_reads && peer.plan.ends_with_fin)});
  socket->peer = &peer;
  socket->send_room = scenario_.send_room;
  socket->peer_room = peer.plan.receive_room;
  socket->error_before_data = random_.chance(scenario_.chances.error_first);
  peer.socket = socket;
  if (dials()) sockets_of_pairs_.push_back(socket);
  peer.in_queue = true;
  queue_.push_back(socket);
  trace_.note("#{} connects: {}, {} B in messages of {} B", socket->id, name(peer.plan.behaviour),
              peer.plan.bytes, peer.plan.message);
  wake(peer, peer.plan.silent_ns + (random_.chance(500) ? 0 : random_.below(scenario_.latency_ns)));
  if (!ends_itself) {
    clock_.after(peer.plan.lifetime_ns, [this, &peer] { end_of_life(peer); });
  }
}

std::shared_ptr<Socket> Network::accept() {
  auto socket = queue_.front();
  queue_.pop_front();
  socket->peer->in_queue = false;
  socket->active_at = socket->acknowledged_at = socket->all_sent_at = clock_.now();
  return socket;
}

// It gave up before it was accepted: the accept that finds it says ECONNABORTED.
void Network::abort_first_in_queue() {
  auto socket = queue_.front();
  queue_.pop_front();
  socket->peer->in_queue = false;
  kill(*socket, ECONNRESET);
  finish(*socket->peer);
}

void Network::received(const std::shared_ptr<Socket>& socket) {
  if (socket->peer != nullptr) wake(*socket->peer, scenario_.latency_ns);
}

void Network::taken(const std::shared_ptr<Socket>& socket, std::uint64_t bytes) {
  if (socket->arrived == socket->taken) socket->acknowledged_at = clock_.now();
  socket->taken += bytes;
  pump(socket);
}

void Network::send_end(const std::shared_ptr<Socket>& socket) {
  socket->half = true;
  shut_down(socket);
}

void Network::shut_down(const std::shared_ptr<Socket>& socket) {
  socket->closed = true;
  pump(socket);
  if (socket->peer != nullptr) wake(*socket->peer, scenario_.latency_ns);
}

void Network::closed(const std::shared_ptr<Socket>& socket, bool reset) {
  socket->closed = true;
  socket->half = false;
  // Closing with data that nobody received sends a reset too (RFC 2525, 2.17).
  if (reset || socket->unread() > 0) {
    kill(*socket, ECONNRESET);
  } else {
    pump(socket);
  }
  if (socket->peer != nullptr) wake(*socket->peer, scenario_.latency_ns);
}

void Network::wake(Peer& peer, std::uint64_t delay_ns) {
  if (peer.awake || peer.done) return;
  peer.awake = true;
  clock_.after(delay_ns, [this, &peer] {
    peer.awake = false;
    if (!peer.done) step(peer);
  });
}

void Network::step(Peer& peer) {
  Socket& socket = *peer.socket;
  if (socket.vanished) return;
  if (socket.dead) {
    finish(peer);
    return;
  }
  if (dials()) return socket.dialled ? serve(peer) : talk_through(peer);
  if (socket.script->listens()) {
    listen_and_talk(peer);
  } else {
    read_and_write(peer);
  }
  const bool end_seen =
      socket.closed && socket.arrived == socket.taken && socket.read == socket.taken;
  if (!end_seen) return;
  if (socket.script->listens()) {
    // Without that feature nobody can be reset: a FIN is the end of those, too.
    const bool can_reset = scenario_.features.has(Feature::slot_options);
    const bool all_due = socket.fin && !draining_ && scenario_.options.idle_timeout_ms == 0;
    peer.answered = !can_reset || socket.script->ended(socket.taken, all_due);
    if (!peer.answered) trace_.fail("content", "#{} saw a FIN before the end", socket.id);
  } else {
    peer.answered = socket.read == socket.script->due(socket.sent) &&
                    (socket.fin || socket.sent >= socket.script->ends_after());
  }
  socket.fin = true;  // it closes, too
  finish(peer);
}

void Network::read_and_write(Peer& peer) {
  Socket& socket = *peer.socket;
  const PeerPlan& plan = peer.plan;
  const std::uint64_t waiting = socket.arrived - socket.read;
  switch (plan.behaviour) {
    case Behaviour::ping_pong:
      socket.read += waiting;
      if (socket.read < socket.script->due(socket.sent) && socket.sent % plan.message == 0) break;
      if (socket.sent < plan.bytes) {
        const std::uint64_t message = plan.message - socket.sent % plan.message;
        send(peer, std::min(message, plan.bytes - socket.sent));
        wake(peer, plan.pause_ns + scenario_.latency_ns);
      } else if (socket.read == socket.script->due(socket.sent) && !socket.fin) {
        socket.fin = true;
      }
      break;
    case Behaviour::bulk:
      socket.read += waiting;
      send(peer, plan.bytes - socket.sent);
      if (socket.sent == plan.bytes) socket.fin = true;
      break;
    case Behaviour::slow_reader: {
      // Fifty reads at the most, so that it comes to an end.
      const std::uint64_t bite = std::max<std::uint64_t>(socket.script->due(plan.bytes) / 50, 1);
      socket.read += std::min(waiting, bite);
      send(peer, plan.bytes - socket.sent);
      if (socket.sent == plan.bytes) socket.fin = true;
      wake(peer, plan.pause_ns + scenario_.latency_ns);
      break;
    }
    case Behaviour::never_reads:
      send(peer, plan.bytes - socket.sent);
      if (plan.ends_with_fin && socket.sent == plan.bytes) socket.fin = true;
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
}

// It reads as its behaviour is, and says what the script has for it by then.
void Network::listen_and_talk(Peer& peer) {
  Socket& socket = *peer.socket;
  const PeerPlan& plan = peer.plan;
  const std::uint64_t waiting = socket.arrived - socket.read;
  const bool slow = plan.behaviour == Behaviour::slow_reader;
  if (slow) {
    socket.read += std::min<std::uint64_t>(waiting, plan.receive_room / 4 + 1);
  } else if (plan.behaviour != Behaviour::never_reads) {
    socket.read += waiting;
  }
  send(peer, socket.script->ready(socket.sent) - socket.sent);
  if (socket.sent == socket.script->says()) socket.fin = true;
  const bool comes_back =
      slow || plan.behaviour == Behaviour::resets || plan.behaviour == Behaviour::vanishes;
  if (comes_back) wake(peer, 2 * millisecond + plan.pause_ns);
  if (waiting > 0) pump(peer.socket);
}

// As much of it as the server's window takes, in segments of some sizes.
void Network::send(Peer& peer, std::uint64_t bytes) {
  Socket& socket = *peer.socket;
  if (socket.fin || (socket.closed && !(socket.half && dials()))) return;
  const std::uint64_t window =
      socket.unread() < scenario_.receive_room ? scenario_.receive_room - socket.unread() : 0;
  std::uint64_t count = std::min({bytes, window, socket.script->ready(socket.sent) - socket.sent});
  if (count == 0) return;
  if (random_.chance(scenario_.chances.data_in_pieces)) {
    count = random_.between(1, count);
    wake(peer, random_.between(1, 300) * microsecond);
  }
  if (socket.unread() == 0) socket.unread_at = clock_.now();
  socket.sent += count;
}

void Network::finish(Peer& peer) {
  if (peer.done) return;
  peer.done = true;
  if (!peer.socket->dialled) ++done_;
  trace_.note("#{} is done: {} B sent, {} B read{}{}", peer.socket->id, peer.socket->sent,
              peer.socket->read, peer.answered ? ", all answered" : "",
              peer.socket->dead ? ", reset" : "");
}

void Network::end_of_life(Peer& peer) {
  if (peer.done) return;
  Socket& socket = *peer.socket;
  if (peer.plan.behaviour == Behaviour::vanishes && !socket.vanished) {
    socket.vanished = true;
    trace_.note("#{} vanishes", socket.id);
    // Somebody who is gone for good is let go by the idle timeout; else its host comes back.
    const bool comes_back = peer.in_queue || scenario_.options.idle_timeout_ms == 0;
    if (comes_back) {
      clock_.after(random_.between(500, 4000) * millisecond, [this, &peer] { end_of_life(peer); });
    } else {
      finish(peer);
    }
    return;
  }
  trace_.note("#{} resets", socket.id);
  kill(socket, ECONNRESET);
  finish(peer);
}

void Network::pump(const std::shared_ptr<Socket>& socket) {
  if (socket->dead || socket->arrived == socket->taken) return;
  watch_timeout(socket);
  if (socket->pumping || socket->vanished) return;
  socket->pumping = true;
  clock_.after(scenario_.latency_ns, [this, socket] {
    socket->pumping = false;
    carry(socket);
  });
}

void Network::carry(const std::shared_ptr<Socket>& socket) {
  if (socket->dead || socket->vanished) return;
  const std::uint64_t unread = socket->arrived - socket->read;
  const std::uint64_t window = unread < socket->peer_room ? socket->peer_room - unread : 0;
  const std::uint64_t count = std::min(window, socket->taken - socket->arrived);
  if (count == 0) return;
  socket->arrived += count;
  socket->acknowledged_at = clock_.now();
  wake(*socket->peer, 0);
  pump(socket);
}

void Network::watch_timeout(const std::shared_ptr<Socket>& socket) {
  if (socket->timing) return;
  socket->timing = true;
  clock_.after(scenario_.user_timeout_ns, [this, socket] {
    socket->timing = false;
    if (socket->dead || socket->arrived == socket->taken) return;
    if (clock_.now() - socket->acknowledged_at < scenario_.user_timeout_ns) {
      watch_timeout(socket);
      return;
    }
    trace_.note("#{} times out", socket->id);
    kill(*socket, ETIMEDOUT);
    if (socket->peer != nullptr) finish(*socket->peer);
  });
}

void Network::kill(Socket& socket, int error) {
  if (socket.dead) return;
  socket.dead = true;
  socket.error = error;
  if (socket.error_before_data) socket.sent = socket.delivered;  // what was not received is lost
}

}  // namespace lab::fake
