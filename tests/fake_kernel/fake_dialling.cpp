// Connections that the server makes: how socket, connect and the poll for the other one go on, and
// what must hold for the two that it joins.
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tests/fake_kernel/fake_kernel.hpp"

namespace lab::fake {

namespace {

// The server looks at most a tick late, and decided before it is seen.
constexpr std::uint64_t decision_ns = 60 * millisecond;
constexpr unsigned options_before_connect = 4;  ///< what an accepted one inherits of the listener

bool is_long(std::uint64_t since, std::uint64_t now, std::uint64_t wait_ns) noexcept {
  return now + decision_ns >= since + wait_ns;
}

}  // namespace

// --- what the server asks for ---

bool FakeKernel::is_room(const io_uring_sqe& sqe) const {
  const auto& socket = table_[static_cast<std::size_t>(sqe.fd)];
  if (socket == nullptr) return false;
  // One that was dialled sends on from its beginning, and so never waits for its own room.
  return socket->dialled || (socket->receive_data != 0 && socket->receive_data != sqe.user_data);
}

bool FakeKernel::parse_dialling(const io_uring_sqe& sqe, Operation& op) {
  using Kind = Operation::Kind;
  switch (sqe.opcode) {
    case IORING_OP_SOCKET:
      if (!dials()) return false;
      if (sqe.file_index != IORING_FILE_INDEX_ALLOC || sqe.off != SOCK_STREAM) {
        trace_.fail("safety", "a socket of type {} for slot {}", sqe.off, sqe.file_index);
      }
      op.kind = Kind::socket;
      return true;
    case IORING_OP_CONNECT: {
      op.kind = Kind::connect;
      sockaddr_in address{};
      if (sqe.off != sizeof address) trace_.fail("safety", "an address of {} B", sqe.off);
      std::memcpy(&address, reinterpret_cast<const void*>(sqe.addr), sizeof address);
      op.upstream = static_cast<unsigned>(ntohs(address.sin_port)) - first_port;
      if (op.upstream >= upstreams_max) {
        trace_.fail("safety", "a connect to nobody's port {}", ntohs(address.sin_port));
      }
      return true;
    }
    case IORING_OP_POLL_ADD:
      judge_slot(sqe.fd, "poll");
      if ((sqe.len & IORING_POLL_ADD_MULTI) != 0) {
        op.kind = Kind::loss;
        return true;
      }
      if (!is_room(sqe)) return false;
      op.kind = Kind::room;
      return true;
    case IORING_OP_URING_CMD:
      if (sqe.cmd_op != SOCKET_URING_OP_SETSOCKOPT || sqe.optname == SO_LINGER) return false;
      op.kind = Kind::knob;
      return true;
    case IORING_OP_FIXED_FD_INSTALL:
      if (!introduces_) trace_.fail("safety", "nobody asks where a client comes from");
      op.kind = Kind::install;
      return true;
    default:
      return false;
  }
}

void FakeKernel::begin_dialling(Operation& op) {
  using Kind = Operation::Kind;
  if (op.kind == Kind::socket) {
    trace_.note("sqe socket");
    return;
  }
  constexpr std::array names{"connect", "poll for room", "option", "install", "poll for loss"};
  const auto name =
      names[static_cast<std::size_t>(op.kind) - static_cast<std::size_t>(Kind::connect)];
  judge_slot(op.slot, name);
  op.socket = table_[static_cast<std::size_t>(op.slot)];
  Socket& socket = *op.socket;
  trace_.note("sqe #{} {}", socket.id, name);
  if (op.kind == Kind::loss) {
    if (socket.loss != nullptr) trace_.fail("safety", "two polls for the loss of #{}", socket.id);
    socket.loss = &op;
    socket.loss_data = op.user_data;
    return;
  }
  ++socket.own;
  if (op.kind == Kind::room) {
    socket.room_data = op.user_data;
    return;
  }
  if (op.kind == Kind::install) {
    ++socket.installs;
    return;
  }
  if (!socket.dialled || socket.connecting) {
    trace_.fail("safety", "{} on #{}, which is connected or about to be", name, socket.id);
  }
  if (op.kind == Kind::knob) {
    if (!can_reset_) {
      trace_.fail("safety", "a socket option on a slot, which this kernel does not have");
    }
    ++socket.options;
    return;
  }
  if (can_reset_ && socket.options != options_before_connect) {
    trace_.fail("safety", "#{} is connected with {} options", socket.id, socket.options);
  }
  socket.connecting = true;
  socket.dial_data = op.user_data;
  network_.dial(op.socket, op.upstream);
}

// --- how it goes on ---

void FakeKernel::attempt_socket(Operation& op) {
  if (random_.chance(chances_.accept_error)) {
    constexpr std::array errors{EMFILE, ENFILE, ENOMEM, ENOBUFS};
    const int error = errors[random_.below(errors.size())];
    trace_.note("cqe socket: error {}", error);
    return finish(op, -error);
  }
  const std::size_t slot = free_slot();
  if (table_[slot] != nullptr) trace_.fail("accepting", "a socket of its own on a full table");
  table_[slot] = network_.make_socket();
  table_[slot]->slot = static_cast<int>(slot);
  trace_.note("cqe socket #{} in slot {}", table_[slot]->id, slot);
  finish(op, static_cast<int>(slot));
}

void FakeKernel::attempt_connect(Operation& op) {
  Socket& socket = *op.socket;
  if (socket.dial.at > clock_.now()) return;
  trace_.note("cqe #{} connect: {}", socket.id, -socket.dial.error);
  if (socket.dial.error != 0) {
    ++dials_failed_;
    socket.error_told = true;
    return finish(op, -socket.dial.error);
  }
  socket.connected = true;
  socket.active_at = socket.progress_at = socket.all_sent_at = clock_.now();
  finish(op, 0);
}

void FakeKernel::attempt_room(Operation& op) {
  const Socket& socket = *op.socket;
  if (!socket.writable()) return;
  trace_.note("cqe #{} has room", socket.id);
  finish(op, POLLOUT | (socket.dead ? POLLERR | POLLHUP : 0));
}

// As Linux does it: the end that the peer has sent is told at once, then what changes.
void FakeKernel::attempt_loss(Operation& op) {
  Socket& socket = *op.socket;
  if (op.fresh) {
    op.fresh = false;
    return post(op.user_data, POLLRDHUP, IORING_CQE_F_MORE);
  }
  if (!socket.dead || op.done != 0) return;
  op.done = 1;
  socket.error_told = true;
  trace_.note("cqe #{} is lost", socket.id);
  post(op.user_data, POLLRDHUP | POLLERR | POLLHUP, IORING_CQE_F_MORE);
}

void FakeKernel::join(int client_slot, int upstream_slot, bool relays) {
  judge_slot(client_slot, "pair");
  judge_slot(upstream_slot, "pair");
  Socket& client = *table_[static_cast<std::size_t>(client_slot)];
  Socket& upstream = *table_[static_cast<std::size_t>(upstream_slot)];
  client.introduces = !relays;
  if (relays && introduces_ && client.line.empty()) {
    trace_.fail("content", "nobody has asked where #{} comes from", client.id);
  }
  if (client.other == &upstream && upstream.other == &client) return;
  if (client.other != nullptr || upstream.other != nullptr || client.dialled ||
      !upstream.connected) {
    trace_.fail("safety", "#{} and #{} are joined, and should not be", client.id, upstream.id);
  }
  trace_.note("#{} and #{} are one", client.id, upstream.id);
  Network::join(client, upstream);
}

// --- safety ---

// It says: all has come.
void FakeKernel::judge_fin(const Socket& socket) {
  if (socket.other != nullptr && !socket.other->end_told) {
    trace_.fail("content", "FIN on #{}, and #{} has not ended", socket.id, socket.other->id);
  }
}

// Everything but the end of both needs a reason, and must not look like an end.
void FakeKernel::judge_close_of_half(Socket& socket) {
  if (socket.dialled && !socket.connected) return;
  const Socket* other = socket.other;
  const bool ended = other != nullptr && socket.end_told && other->end_told;
  if (ended && socket.unsent() == 0) return;
  give_up(socket);
  const bool fails = socket.error_told || (other != nullptr && other->error_told);
  if (!fails && !may_be_cut(socket)) {
    trace_.fail("safety",
                "#{} is cut short without a reason: {} B received, {} sent, {} unsent, end {}",
                socket.id, socket.delivered, socket.taken, socket.unsent(),
                socket.end_told ? "told" : "not told");
  }
  socket.cut = true;
  const bool timely = draining_at_ == 0 && scenario_.options.idle_timeout_ms == 0;
  if (fails && !socket.error_told && timely && can_reset_ && !socket.linger && !ended) {
    trace_.fail("content", "#{} gets a FIN, and the connection behind it has failed", socket.id);
  }
}

bool FakeKernel::may_be_cut(const Socket& socket) {
  const std::uint64_t now = clock_.now();
  const Socket* other = socket.other;
  if (other != nullptr && other->cut) return true;
  if (other == nullptr && (dials_failed_ > 0 || socket.dialled)) return true;
  const Socket& peer = other != nullptr ? *other : socket;
  const auto both = [&](auto member) { return std::min(socket.*member, peer.*member); };

  const unsigned idle_ms = scenario_.options.idle_timeout_ms;
  if (idle_ms != 0 && is_long(both(&Socket::active_at), now, idle_ms * millisecond)) return true;
  if (draining_at_ != 0) {
    const std::uint64_t deadline = scenario_.options.drain_deadline_ms * millisecond;
    if (is_long(draining_at_, now, deadline)) return true;
    const auto waits = [=](const Socket& one) {
      return one.unread() > 0 && now - one.unread_at > 100 * millisecond;
    };
    const bool quiet = socket.unsent() == 0 && peer.unsent() == 0 && !waits(socket) && !waits(peer);
    const Socket& client = socket.dialled ? peer : socket;
    const Socket& upstream = socket.dialled ? socket : peer;
    // Whoever asked before the server decided has not been answered.
    const bool asks =
        client.heard_at > upstream.heard_at && now - client.heard_at > 100 * millisecond;
    if (quiet && !(asks && other != nullptr)) return true;
  }
  // What is kept for somebody who takes nothing is needed elsewhere.
  const bool scarce =
      now - home_empty_at_ < 100 * millisecond || now - pooled_out_at_ < 100 * millisecond;
  return scarce &&
         (other == nullptr || is_long(both(&Socket::progress_at), now, 250 * millisecond) ||
          is_long(both(&Socket::all_sent_at), now, 50 * millisecond));
}

// --- liveness ---

bool FakeKernel::ends_by_cancel(const Socket& socket) const noexcept {
  if (cancel_in_flight(socket.receive_data) || cancel_in_flight(socket.send_data)) return true;
  if (cancel_in_flight(socket.dial_data) || cancel_in_flight(socket.room_data)) return true;
  if (cancel_in_flight(socket.loss_data)) return true;
  if (socket.loss != nullptr && socket.loss->cancelled) return true;
  if (socket.receive != nullptr && socket.receive->cancelled) return true;
  return socket.send != nullptr && socket.send->cancelled;
}

void FakeKernel::judge_half(Socket& socket) {
  const Socket* other = socket.other;
  if (ends_by_cancel(socket)) return;
  if (other == nullptr) return judge_alone(socket);
  if (is_being_introduced(socket.dialled ? *other : socket)) return;
  const bool rests = socket.receive == nullptr && socket.send == nullptr && socket.own == 0;
  if (other->slot < 0 || other->closing || other->close_begun) {
    if (rests || (socket.receive != nullptr && socket.send == nullptr)) {
      trace_.fail("liveness", "#{} is closed, and #{} goes on", other->id, socket.id);
    }
    return;
  }
  if (ends_by_cancel(*other)) return;
  if (socket.error_told || other->error_told) {
    trace_.fail("liveness", "#{} or #{} failed, and they go on", socket.id, other->id);
  }
  // In a drain both may be about to close, and what comes then is dropped.
  if (draining_at_ != 0 && socket.receive == nullptr && other->receive == nullptr) return;
  if (socket.unsent() > 0 && socket.send == nullptr) {
    trace_.fail("liveness", "#{} has {} B to send and no send in flight", socket.id,
                socket.unsent());
  }
  if (socket.end_told && !other->end_told && socket.loss == nullptr && socket.send == nullptr) {
    trace_.fail("liveness", "#{} has sent all, and nobody would hear of its reset", socket.id);
  }
  const bool passed = socket.unsent() == 0 && socket.send == nullptr && socket.own == 0;
  if (other->end_told && passed && !socket.closed && !socket.dead) {
    trace_.fail("liveness", "#{} has ended, and #{} does not hear of it", other->id, socket.id);
  }
  if (other->end_told && socket.end_told && passed && other->unsent() == 0 &&
      other->send == nullptr && other->own == 0) {
    trace_.fail("liveness", "#{} and #{} have ended and are not closed", socket.id, other->id);
  }
  judge_hunger(socket);
  // It receives, or waits: for the end, for a buffer, or for who takes what it brings.
  const bool waits = socket.receive != nullptr || socket.end_told || home_count_ == 0 ||
                     other->unsent() > 0 || other->notifications_due > 0 || !other->writable();
  if (waits) {
    socket.parked_at = 0;
    return;
  }
  if (socket.parked_at == 0) socket.parked_at = clock_.now();
  if (clock_.now() - std::max(socket.parked_at, home_empty_at_) < 100 * millisecond) return;
  trace_.fail("liveness", "#{} is forgotten: nothing in flight, and {} buffers are home", socket.id,
              home_count_);
}

// Before the two are one, and where nothing came of it.
void FakeKernel::judge_alone(const Socket& socket) {
  const bool rests = socket.receive == nullptr && socket.send == nullptr && socket.own == 0;
  if (!rests) return;
  if (socket.error_told) {
    trace_.fail("liveness", "#{} failed, nothing is in flight, and it is not closed", socket.id);
  }
  if (socket.dialled) trace_.fail("liveness", "#{} was dialled and is forgotten", socket.id);
}

}  // namespace lab::fake
