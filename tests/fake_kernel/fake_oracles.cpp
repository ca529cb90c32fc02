// What must hold whatever the kernel and the clients do: safety when an SQE is taken, liveness when
// the server waits.
#include <algorithm>

#include "tests/fake_kernel/fake_kernel.hpp"
#include "tests/fake_kernel/session_words.hpp"

namespace lab::fake {

namespace {

constexpr std::uint64_t tick_ns = 25 * millisecond;
constexpr std::uint64_t thought_ns = (2 * think_ms + 100) * millisecond;

}  // namespace

// --- safety ---

void FakeKernel::judge_slot(int slot, const char* what) {
  if (slot < 0 || static_cast<std::size_t>(slot) >= table_.size()) {
    trace_.fail("safety", "a {} on slot {}, which does not exist", what, slot);
  }
  const auto& socket = table_[static_cast<std::size_t>(slot)];
  if (socket == nullptr) trace_.fail("safety", "a {} on slot {}, which is free", what, slot);
  if (socket->closing) {
    trace_.fail("safety", "a {} on slot {}, whose close is under way", what, slot);
  }
}

// A slot that was handed out again must not be used by its former owner.
void FakeKernel::judge_owner(const Operation& op) {
  Socket& socket = *op.socket;
  if (socket.receive != nullptr) {
    trace_.fail("safety", "a second receive on #{} while one is in flight", socket.id);
  }
  if (socket.receive_data == 0) {
    limits_.let_in(socket);
    socket.receive_data = op.user_data;
  }
  limits_.judge_receive(socket);
  if (socket.receive_data != op.user_data) {
    trace_.fail("safety", "#{} is received from by another connection's operation", socket.id);
  }
}

void FakeKernel::judge_send(const Operation& op) {
  const Socket& socket = *op.socket;
  if (socket.send != nullptr) {
    trace_.fail("safety", "a second send on #{} while one is unfinished", socket.id);
  }
  if (op.length == 0) trace_.fail("safety", "a send of nothing on #{}", socket.id);
  if (!socket.script->listens() && op.length > socket.unsent() && !off_script()) {
    trace_.fail("content", "#{} would send {} B where {} B are unsent", socket.id, op.length,
                socket.unsent());
  }
  for (const iovec& piece : op.payload.pieces) judge_piece(socket, piece);
}

// It lies in one buffer, which is not home; or, where the protocol has other bytes, elsewhere.
void FakeKernel::judge_piece(const Socket& socket, const iovec& piece) {
  const auto* begin = static_cast<const std::byte*>(piece.iov_base);
  const std::byte* end = begin + piece.iov_len - 1;
  const int received = buffer_of(begin);
  const int pooled = pooled_->id_of(begin);
  const bool within = received == buffer_of(end) && pooled == pooled_->id_of(end);
  const bool is_known = received >= 0 || pooled >= 0 || !plainly_echoes();
  if (!within || !is_known) {
    trace_.fail("safety", "#{} sends what is not within one buffer", socket.id);
  }
  const bool home = (received >= 0 && home_[static_cast<std::size_t>(received)]) ||
                    (pooled >= 0 && pooled_->is_home(static_cast<std::uint32_t>(pooled)));
  if (home) {
    trace_.fail("safety", "#{} sends from buffer {}, which is home", socket.id,
                std::max(received, pooled));
  }
}

void FakeKernel::judge_close(const Operation& op) {
  Socket& socket = *op.socket;
  const std::uint64_t now = clock_.now();
  if (socket.receive != nullptr) {
    trace_.fail("safety", "close of #{} with a receive in flight", socket.id);
  }
  if (socket.send != nullptr) {
    trace_.fail("safety", "close of #{} with a send in flight", socket.id);
  }
  if (socket.own > 0) {
    trace_.fail("safety", "close of #{} with {} of its own operations in flight", socket.id,
                socket.own);
  }
  if (socket.loss != nullptr) {
    trace_.fail("safety", "close of #{} with a poll for its loss in flight", socket.id);
  }
  socket.closing = true;
  limits_.leaves(socket, draining_at_ != 0);
  if (dials()) return judge_close_of_half(socket);
  // Who listens says by itself whether that was right.
  if (socket.script->listens()) return give_up(socket);
  if (limits_.refuses(socket) || off_script()) return;
  const bool flushed = socket.unsent() == 0;
  const bool ended = socket.end_told || socket.delivered >= socket.script->ends_after();
  if (ended && flushed) return;

  // Everything else cuts a connection short, which needs a reason.
  give_up(socket);
  if (socket.error_told) return;
  const auto is_past = [=](std::uint64_t since, std::uint64_t wait_ns) {
    return now + 2 * tick_ns + 10 * millisecond >= since + wait_ns;
  };
  const unsigned idle_ms = scenario_.options.idle_timeout_ms;
  if (idle_ms != 0 && is_past(socket.active_at, idle_ms * millisecond)) return;
  if (draining_at_ != 0) {
    if (socket.dead) return;  // its peer has gone, and nobody had told the server yet
    // What came after the decision was still sent back.
    const bool was_quiet = now - socket.roused_at < 100 * millisecond;
    // Closing over unread data is a reset: who had sent it before the decision loses its answers.
    const bool unread = socket.unread() > 0 && now - socket.unread_at > 100 * millisecond;
    const bool quiet = flushed && !unread;
    if (quiet && (was_quiet || is_past(socket.active_at, 200 * millisecond))) return;
    if (is_past(draining_at_, scenario_.options.drain_deadline_ms * millisecond)) return;
  }
  const bool scarce = now - home_empty_at_ < 100 * millisecond + 3 * scenario_.slow_ns;
  if (scarce && is_past(socket.progress_at, 250 * millisecond)) return;
  // Where answers are the protocol's, whoever keeps a buffer for long is in the way, even if it
  // moves.
  const bool pooled_scarce =
      !plainly_echoes() && (scarce || now - pooled_out_at_ < 100 * millisecond);
  if (pooled_scarce && is_past(socket.all_sent_at, 50 * millisecond)) return;
  trace_.fail("safety",
              "#{} is cut short without a reason: {} B sent, {} received, {} sent back, end {}, "
              "active {:.0f} ms ago, progress {:.0f} ms ago",
              socket.id, socket.sent, socket.delivered, socket.taken,
              socket.end_told ? "told" : "not told",
              static_cast<double>(now - socket.active_at) / 1e6,
              static_cast<double>(now - socket.progress_at) / 1e6);
}

// What has just come may be dropped with the connection.
void FakeKernel::give_up(Socket& socket) {
  while (!socket.recent.empty() && socket.recent.front().first + given_up_ns() < clock_.now()) {
    socket.recent.pop_front();
  }
  for (const auto& [time, bytes] : socket.recent) bytes_given_up_ += bytes;
}

// --- liveness ---

// The server has seen everything and waits: what it is not told of any more, it will not do.
void FakeKernel::judge_rest() {
  cancelling_.clear();
  reading_ = false;
  for (const Op& op : operations_) {
    if (op->kind == Operation::Kind::read) reading_ = true;
    if (op->kind == Operation::Kind::cancel && !op->over) {
      cancelling_.insert(op->multishot ? everything : op->length);
    }
  }
  for (const auto& socket : table_) {
    const bool ends = socket == nullptr || socket->closing || socket->close_begun;
    if (!ends) dials() ? judge_half(*socket) : judge_connection(*socket);
  }
  judge_kept();
  if (draining_at_ == 0) {
    judge_accepting();
    return;
  }
  const std::uint64_t deadline = scenario_.options.drain_deadline_ms * millisecond;
  if (clock_.now() > draining_at_ + deadline + 1200 * millisecond) {
    trace_.fail("liveness", "draining goes on {} ms after its deadline",
                (clock_.now() - draining_at_ - deadline) / millisecond);
  }
}

// Whoever was closed hears of it, though the kernel keeps the file, and no receive keeps it for
// good. A send may: its peer does not take it.
void FakeKernel::judge_kept() {
  for (const KeptFile& file : kept_) {
    const Socket& socket = *file.socket;
    if (!socket.closed && !socket.linger && !socket.dead) {
      trace_.fail("liveness", "#{} is closed, and its peer has not heard of it", socket.id);
    }
    const std::uint64_t age = clock_.now() - file.closed_at;
    if (age < (scenario_.options.receive_renewal_ms + 200) * millisecond) continue;
    for (const Op& op : operations_) {
      const bool receives =
          op->kind == Operation::Kind::receive || op->kind == Operation::Kind::poll;
      // One that discards ends within two seconds.
      if (!receives || op->discards || op->cancelled || cancel_in_flight(op->user_data)) continue;
      if (keeps(*op, file)) {
        trace_.fail("liveness", "the file of #{} is kept for {} ms by a receive of #{}", socket.id,
                    age / millisecond, op->socket->id);
      }
    }
  }
}

void FakeKernel::judge_connection(Socket& socket) {
  if (off_script() || socket.script->listens()) return;
  judge_hunger(socket);
  judge_silence(socket);
  if (thinks(socket)) return;
  if (cancel_in_flight(socket.receive_data) || cancel_in_flight(socket.send_data)) return;
  // What a cancel has found ends by itself, perhaps long after the cancel's own CQE.
  if (socket.receive != nullptr && socket.receive->cancelled) return;
  if (socket.send != nullptr && socket.send->cancelled) return;
  if (socket.error_told && (socket.receive != nullptr || socket.send != nullptr)) {
    trace_.fail("liveness", "#{} failed and what is in flight on it is not cancelled", socket.id);
  }
  const std::uint64_t unsent = socket.unsent();
  if (socket.receive != nullptr && (unsent == 0 || socket.send != nullptr)) return;
  if (socket.send != nullptr || (unsent > 0 && waits_for_more())) return;
  if (socket.receive != nullptr || (unsent > 0 && !socket.error_told && !socket.end_told)) {
    trace_.fail("liveness", "#{} has {} B to send and no send in flight", socket.id, unsent);
  }
  if (waits_for_more()) return;
  if (socket.delivered >= socket.script->ends_after()) return;  // its close goes on
  if (socket.end_told || socket.error_told) {
    trace_.fail("liveness", "#{} ended, nothing is in flight, and it is not closed ({} B unsent)",
                socket.id, unsent);
  }
  // Nothing is in flight here: it waits for buffers, anybody's or its own: two are its share when
  // they are few. For a moment it may wait for a whole buffer though there are some for bites.
  if (home_count_ == 0 || socket.notifications_due >= 2 || limits_.paces(socket)) return;
  if (socket.parked_at == 0) socket.parked_at = clock_.now();
  if (clock_.now() - std::max(socket.parked_at, home_empty_at_) < 100 * millisecond) return;
  trace_.fail("liveness", "#{} is forgotten: nothing in flight, and {} buffers are home", socket.id,
              home_count_);
}

// Somebody who reads what it is sent must not wait for a buffer because others do not.
void FakeKernel::judge_hunger(Socket& socket) {
  // What it says goes to somebody else, where two are one.
  const Socket& sink = socket.other != nullptr ? *socket.other : socket;
  const bool hungry = (socket.unread() > 0 || socket.fin) && sink.unsent() == 0 &&
                      sink.notifications_due == 0 && sink.writable() && !socket.dead &&
                      !sink.dead && !socket.end_told && !socket.error_told &&
                      !limits_.paces(socket);
  if (!hungry) {
    socket.hungry_at = 0;
  } else if (socket.hungry_at == 0 || socket.hungry_delivered != socket.delivered) {
    socket.hungry_at = clock_.now();
    socket.hungry_delivered = socket.delivered;
  } else if (clock_.now() - socket.hungry_at > patience()) {
    trace_.fail("guarantee", "#{} waits for {} ms for a buffer, {} of {} are home", socket.id,
                (clock_.now() - socket.hungry_at) / millisecond, home_count_, home_.size());
  }
}

// A protocol with bytes of its own may wait for a pooled buffer, or for a piece of a file.
bool FakeKernel::waits_for_more() const noexcept {
  return !plainly_echoes() && (reading_ || clock_.now() - pooled_out_at_ < 100 * millisecond);
}

// A session may think about what it has heard before it answers, twice as long in a drain.
bool FakeKernel::thinks(const Socket& socket) const noexcept {
  return subject == Subject::session && socket.unsent() > 0 &&
         clock_.now() - socket.active_at < thought_ns;
}

// How long somebody may wait for a buffer. For each poolful of peers that keep pooled buffers there
// is a round in which they are found. A server without a processor is late with each step.
std::uint64_t FakeKernel::patience() const noexcept {
  const bool pooled = !plainly_echoes();
  const std::uint64_t fewest = std::min(pooled_->count(), buffers_->count() / 2);
  const std::uint64_t rounds = pooled ? scenario_.peers.size() / fewest : 0;
  return (500 + 100 * rounds) * millisecond + 6 * scenario_.slow_ns;
}

// Whoever has something to say must not wait for a pooled buffer because others do not read.
void FakeKernel::judge_silence(Socket& socket) {
  const bool mute = !plainly_echoes() && socket.unsent() > 0 && socket.send == nullptr &&
                    socket.notifications_due == 0 && !socket.dead && !socket.error_told;
  if (!mute) {
    socket.mute_at = 0;
  } else if (socket.mute_at == 0 || socket.mute_taken != socket.taken) {
    socket.mute_at = clock_.now();
    socket.mute_taken = socket.taken;
  } else if (!thinks(socket) && clock_.now() - socket.mute_at > patience()) {
    trace_.fail("guarantee", "#{} waits for {} ms to send, {} of {} pooled buffers are home",
                socket.id, (clock_.now() - socket.mute_at) / millisecond, pooled_->free(),
                pooled_->count());
  }
}

void FakeKernel::judge_accepting() {
  std::erase_if(zombies_, [](const auto& socket) { return socket->notifications_due == 0; });
  std::size_t slots = slots_taken();
  // Half of them are for connections that the server dials.
  const std::size_t for_clients = dials() ? table_.size() / 2 : table_.size();
  if (dials()) {
    slots -= static_cast<std::size_t>(
        std::count_if(table_.begin(), table_.end(),
                      [](const auto& socket) { return socket != nullptr && socket->dialled; }));
  }
  if (acceptor_.has_credits() || acceptor_.any_on_their_way()) return;
  for (const Op& op : operations_) {
    if (op->kind == Operation::Kind::accept || op->kind == Operation::Kind::message) return;
    const bool counts = op->kind == Operation::Kind::close && !op->fresh;
    if (counts && !(dials() && op->socket->dialled)) ++slots;
  }
  // The server has one object for each slot and 64 for what is closed and awaits notifications.
  const std::size_t objects = table_.size() + 64;
  const std::size_t others = dials() ? table_.size() - for_clients : 0;
  const bool has_room = slots < for_clients && slots + others + zombies_.size() < objects;
  if (!has_room || clock_.now() < accept_again_at_ || cancel_in_flight(accept_data_)) return;
  trace_.fail("liveness", "nothing accepts though {} of {} slots are free", table_.size() - slots,
              table_.size());
}

bool FakeKernel::cancel_in_flight(std::uint64_t target) const noexcept {
  return target != 0 && (cancelling_.contains(target) || cancelling_.contains(everything));
}

}  // namespace lab::fake
