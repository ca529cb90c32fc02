// How each operation goes on: what fake_kernel.hpp calls legal, drawn.
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "01-core/lib/poison.hpp"
#include "tests/fake_kernel/fake_kernel.hpp"

namespace lab::fake {

// --- accepting ---

void FakeKernel::attempt_accept(Operation& op) {
  if (draining_at_ != 0 && scenario_.listener_shuts_down) {
    trace_.note("cqe accept: the listener is shut down");
    return finish(op, -EINVAL);
  }
  auto& queue = network_.queue();
  while (!queue.empty()) {
    if (random_.chance(chances_.accept_error)) {
      constexpr std::array errors{ECONNABORTED, EMFILE, ENFILE, ENOMEM, ENOBUFS};
      const int error = errors[random_.below(errors.size())];
      if (error == ECONNABORTED) {
        network_.abort_first_in_queue();
      } else {
        accept_again_at_ = clock_.now() + 1100 * millisecond;  // the longest pause, and a tick
      }
      trace_.note("cqe accept: error {}", error);
      return finish(op, -error);
    }
    const std::size_t slot = free_slot();
    if (table_[slot] != nullptr) {
      trace_.fail("accepting", "accept on a full table: #{}, who waited, is destroyed",
                  queue.front()->id);
    }
    table_[slot] = network_.accept();
    table_[slot]->slot = static_cast<int>(slot);
    table_[slot]->came_at = clock_.now();
    ++accepted_;
    write_address(op, *table_[slot]);
    // A full queue ends it, and nothing else does while clients come: they come meanwhile, too.
    if (random_.chance(chances_.arrives_meanwhile)) network_.hurry();
    const bool last =
        !op.multishot || !queue_has_room() || random_.chance(chances_.final_with_data / 4);
    trace_.note("cqe accept #{} into slot {}{}", table_[slot]->id, slot, last ? ", last" : "");
    if (last) return finish(op, static_cast<int>(slot));
    post(op.user_data, static_cast<int>(slot), IORING_CQE_F_MORE);
  }
}

// To a reactor, which has a place for each of them.
void FakeKernel::pass_clients() {
  while (acceptor_.take(draw_delay())) {
    if (random_.chance(chances_.arrives_meanwhile)) network_.hurry();
  }
  while (const auto arrival = acceptor_.arrived()) {
    const std::size_t slot = free_slot();
    if (table_[slot] != nullptr) {
      trace_.fail("accepting", "#{} is passed to a full table", arrival->socket->id);
    }
    table_[slot] = arrival->socket;
    table_[slot]->slot = static_cast<int>(slot);
    table_[slot]->came_at = clock_.now();
    ++accepted_;
    trace_.note("cqe #{} arrives in slot {}", table_[slot]->id, slot);
    post(arrival->user_data, static_cast<int>(slot), 0);
  }
}

void FakeKernel::attempt_message(Operation& op) {
  acceptor_.give(op.length);
  finish(op, 0);
}

// One that is taken: there is none.
std::size_t FakeKernel::free_slot() {
  const std::size_t size = table_.size();
  std::size_t slot = scenario_.rotating_slots ? slot_hint_ : 0;
  for (std::size_t tried = 0; tried < size && table_[slot % size] != nullptr; ++tried) ++slot;
  slot %= size;
  slot_hint_ = static_cast<unsigned>(slot + 1);
  return slot;
}

void FakeKernel::write_address(const Operation& op, const Socket& socket) {
  if (op.memory == nullptr) return;
  const sockaddr_in6& address = socket.peer->plan.address;
  const bool is_ipv6 = address.sin6_family == AF_INET6;
  const auto size = static_cast<socklen_t>(is_ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  std::memcpy(op.memory, &address, std::min(size, *op.memory_size));
  *op.memory_size = size;
}

// --- receiving ---

// As the kernel: first a buffer, then the data. So a receive can end for lack of a buffer though
// nothing is there to be received.
void FakeKernel::attempt_receive(Operation& op) {
  Socket& socket = *op.socket;
  const bool something = socket.unread() > 0 || socket.fin || socket.dead;
  if (!op.fresh && !something && !random_.chance(chances_.empty_look)) return;
  op.fresh = false;
  op.going_on = false;
  if (op.discards) return discard(op);
  const bool fair = scenario_.features.has(Feature::recv_retry_limit);
  for (unsigned round = 1;; ++round) {
    if (home_count_ == 0) {
      trace_.note("cqe #{} receive: no buffers", socket.id);
      return finish(op, -ENOBUFS);
    }
    if (socket.unread() == 0) {
      if (socket.dead && socket.error != 0) {
        const int error = std::exchange(socket.error, 0);
        socket.error_told = true;
        trace_.note("cqe #{} receive: error {}", socket.id, error);
        return finish(op, -error);
      }
      if (socket.fin || socket.dead) return finish_at_end(op);
      if (op.bundles && random_.chance(chances_.entry_shortened)) shorten(entry_at(provided_head_));
      return;
    }
    if (random_.chance(chances_.send_interrupted)) {
      trace_.note("cqe #{} receive: interrupted", socket.id);
      return finish(op, -EINTR);
    }
    deliver(op, !op.multishot || random_.chance(chances_.final_with_data));
    if (op.over) return;
    if (fair && round == 33) {
      op.going_on = true;
      return delay(op);
    }
    // Only sometimes it knows that there is no more and does not look again.
    if (socket.unread() == 0 && !socket.fin && !socket.dead && random_.chance(500)) return;
  }
}

void FakeKernel::finish_at_end(Operation& op) {
  op.socket->end_told = true;
  unsigned flags = 0;
  if (random_.chance(chances_.empty_with_buffer)) {
    // A bundle of no bytes takes none, though it may name one.
    const unsigned id = op.bundles ? entry_at(provided_head_).bid : take_buffer();
    flags = IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT;
  }
  trace_.note("cqe #{} receive: the end{}", op.socket->id, flags != 0 ? ", with a buffer" : "");
  finish(op, 0, flags);
}

void FakeKernel::deliver(Operation& op, bool last) {
  Socket& socket = *op.socket;
  const unsigned most = buffers_for(op);
  std::uint64_t room = 0;
  for (unsigned taken = 0; taken < most; ++taken) room += entry_at(provided_head_ + taken).len;
  std::uint64_t count = std::min(socket.unread(), room);
  if (op.length > 0) count = std::min(count, op.length - op.done);
  if (random_.chance(chances_.data_in_pieces)) count = random_.between(1, count);
  const unsigned id = entry_at(provided_head_).bid;
  unsigned taken = 0;
  for (std::uint64_t done = 0; done < count; ++taken) {
    const std::uint32_t length = entry_at(provided_head_).len;
    const auto part = static_cast<unsigned>(std::min<std::uint64_t>(length, count - done));
    fill(take_buffer(), *socket.script, socket.delivered + done, part);
    done += part;
  }
  if (taken > 1) ++bundles_posted_;
  op.done += count;
  if (op.length > 0 && op.done == op.length) last = true;
  if (socket.unsent() == 0) socket.all_sent_at = clock_.now();
  socket.delivered += count;
  bytes_delivered_ += count;
  socket.heard_at = clock_.now();
  for (unsigned asked = 0; asked < taken; ++asked) limits_.request(op.socket);  // a buffer each
  if (!socket.ending) socket.rouse(clock_.now());
  socket.recent.emplace_back(clock_.now(), count);
  while (socket.recent.front().first + given_up_ns() < clock_.now()) {
    socket.recent.pop_front();
  }
  trace_.note("cqe #{} receive {} B in {} buffers from {} on{}, {} home", socket.id, count, taken,
              id, last ? ", last" : "", home_count_);
  network_.received(op.socket);
  unsigned flags = IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT;
  if (socket.unread() > 0) flags |= IORING_CQE_F_SOCK_NONEMPTY;
  if (last) {
    finish(op, static_cast<int>(count), flags);
  } else {
    post(op.user_data, static_cast<int>(count), flags | IORING_CQE_F_MORE);
  }
}

// How many it looks at. Some of them are made shorter for what it means to put there.
unsigned FakeKernel::buffers_for(const Operation& op) {
  if (!op.bundles) return 1;
  const unsigned all = std::min(home_count_, 256U);
  const unsigned most = random_.chance(500) ? all : random_.between(1, all);
  for (unsigned place = 0; place < most; ++place) {
    if (random_.chance(chances_.entry_shortened)) shorten(entry_at(provided_head_ + place));
  }
  return most;
}

void FakeKernel::shorten(io_uring_buf& entry) { entry.len = random_.between(1, entry.len); }

void FakeKernel::attempt_poll(Operation& op) {
  const Socket& socket = *op.socket;
  if (!socket.writable()) return;
  trace_.note("cqe #{} poll", socket.id);
  finish(op, POLLOUT | (socket.dead ? POLLERR | POLLHUP : 0));
}

// --- sending ---

void FakeKernel::attempt_send(Operation& op) {
  Socket& socket = *op.socket;
  if (op.fresh && op.zero_copy && random_.chance(chances_.zero_copy_fails)) {
    constexpr std::array errors{ENOMEM, ENOBUFS, EOPNOTSUPP};
    return finish_send(op, -errors[random_.below(errors.size())]);
  }
  const bool fresh = std::exchange(op.fresh, false);
  if (socket.dead) {
    if (op.done > 0) return finish_send(op, static_cast<int>(op.done));
    socket.error_told = true;
    return finish_send(op, -(socket.error != 0 ? std::exchange(socket.error, 0) : EPIPE));
  }
  if (fresh && random_.chance(chances_.send_interrupted)) {
    return finish_send(op, random_.chance(500) ? -EINTR : -EAGAIN);
  }
  const bool cut = random_.chance(chances_.send_short);
  send_some(op, cut);
  const bool enough = op.done > 0 && (cut || !op.waits_for_all);
  if (op.done == op.length || enough) finish_send(op, static_cast<int>(op.done));
}

void FakeKernel::send_some(Operation& op, bool cut) {
  std::uint64_t count = std::min(op.length - op.done, op.socket->room());
  if (count == 0) return;
  if (cut) count = random_.between(1, count);
  op.done += count;
  bytes_taken_ += count;
  Socket& socket = *op.socket;
  if (!socket.ending) {
    socket.rouse(clock_.now());
    socket.progress_at = clock_.now();
  }
  network_.taken(op.socket, count);
  if (socket.unsent() == 0) socket.all_sent_at = clock_.now();
}

void FakeKernel::finish_send(Operation& op, int result) {
  Socket& socket = *op.socket;
  const std::uint64_t now = clock_.now();
  ++sends_posted_;
  unsigned flags = 0;
  const bool notifies =
      op.zero_copy && (result > 0 || (result != -EOPNOTSUPP && random_.chance(500)));
  if (notifies) {
    flags = IORING_CQE_F_MORE;
    const std::uint64_t wait = random_.chance(chances_.notification_late)
                                   ? random_.between(1, 100) * millisecond
                                   : draw_delay();
    clock_.after(wait, [] {});
    const bool copied = random_.chance(chances_.zero_copy_copied);
    notifications_.push_back({op.user_data, op.socket, op.payload,
                              static_cast<std::uint64_t>(std::max(result, 0)), now + wait, copied,
                              op.report_usage});
    ++socket.notifications_due;
  } else if (result > 0) {
    compare(socket, op.payload, static_cast<std::uint64_t>(result), "when it was sent");
  }
  trace_.note("cqe #{} send{}: {} of {}{}", socket.id, op.zero_copy ? " zero copy" : "", result,
              op.length, notifies ? ", notification follows" : "");
  finish(op, result, flags);
}

// The memory is read until here, so here it is compared, although most of it left long ago.
void FakeKernel::attempt_notifications() {
  std::erase_if(notifications_, [this](const Notification& notification) {
    Socket& socket = *notification.socket;
    const bool free = notification.copied || socket.dead || notification.bytes == 0 ||
                      socket.arrived >= notification.payload.position + notification.bytes;
    if (!free || notification.not_before > clock_.now()) return false;
    compare(socket, notification.payload, notification.bytes, "at its notification");
    trace_.note("cqe #{} notification{}", socket.id, notification.copied ? ", copied" : "");
    --socket.notifications_due;
    if (!socket.ending && notification.bytes > 0) socket.progress_at = clock_.now();
    ++notifications_posted_;
    const bool says_copied = notification.reports && notification.copied;
    post(notification.user_data, says_copied ? static_cast<int>(IORING_NOTIF_USAGE_ZC_COPIED) : 0,
         IORING_CQE_F_NOTIF);
    return true;
  });
}

// --- closing ---

void FakeKernel::attempt_shutdown(Operation& op) {
  const bool gone = op.socket->dead;
  trace_.note("#{} is shut down{}", op.socket->id, gone ? ": it was gone" : "");
  if (!gone) network_.shut_down(op.socket);
  finish(op, gone ? -ENOTCONN : 0);
}

void FakeKernel::attempt_close(Operation& op) {
  if (op.fresh) {
    op.fresh = false;
    Socket& socket = *op.socket;
    table_[static_cast<std::size_t>(op.slot)] = nullptr;
    socket.slot = -1;
    if (socket.notifications_due > 0) zombies_.push_back(op.socket);
    trace_.note("#{} is closed, slot {} is free{}", socket.id, op.slot,
                socket.linger ? ", reset" : "");
    if (scenario_.features.has(Feature::slot_release)) {
      network_.closed(op.socket, socket.linger);
    } else {
      kept_.push_back({op.socket, op.number, clock_.now()});
    }
    if (random_.chance(chances_.close_late)) {
      const std::uint64_t wait = random_.between(1, 5000) * microsecond;
      op.ready_at = clock_.now() + wait;
      clock_.after(wait, [] {});
      return;
    }
  }
  trace_.note("cqe close of slot {}", op.slot);
  finish(op, 0);
}

bool FakeKernel::keeps(const Operation& op, const KeptFile& file) const noexcept {
  return !op.over && op.number != 0 && op.number < file.number;
}

void FakeKernel::release_files() {
  const auto is_kept = [this](const KeptFile& file) {
    return std::any_of(operations_.begin(), operations_.end(),
                       [&](const Op& op) { return keeps(*op, file); });
  };
  while (!kept_.empty() && !is_kept(kept_.front())) {
    const auto socket = kept_.front().socket;
    kept_.pop_front();
    trace_.note("the file of #{} is let go", socket->id);
    network_.closed(socket, socket->linger);
  }
}

void FakeKernel::attempt_option(Operation& op) {
  op.socket->linger = true;
  finish(op, 0);
}

// --- time ---

void FakeKernel::attempt_timer(Operation& op) {
  if (!op.multishot) return finish(op, -ETIME);
  op.ready_at += op.period_ns;
  clock_.after(op.ready_at - clock_.now(), [] {});
  post(op.user_data, -ETIME, IORING_CQE_F_MORE);
}

// --- files ---

void FakeKernel::attempt_read(Operation& op) {
  if (random_.chance(chances_.send_interrupted)) return finish(op, -EINTR);
  const auto file = file_content(op.fd);
  if (!file) trace_.fail("safety", "a read of descriptor {}, which is none", op.fd);
  const int id = pooled_->id_of(op.memory);
  if (id < 0 || pooled_->is_home(static_cast<std::uint32_t>(id))) {
    trace_.fail("safety", "a read into memory that is nobody's");
  }
  const std::uint64_t offset = op.payload.position;
  std::uint64_t count = offset < file->size() ? std::min(op.length, file->size() - offset) : 0;
  if (count > 0 && random_.chance(chances_.read_short)) count = random_.between(1, count);
  std::memcpy(op.memory, file->data() + offset, count);
  trace_.note("cqe read {} B", count);
  finish(op, static_cast<int>(count));
}

// --- ending ---

void FakeKernel::attempt_fin(Operation& op) {
  const bool gone = op.socket->dead;
  if (!gone) network_.send_end(op.socket);
  trace_.note("cqe #{} FIN{}", op.socket->id, gone ? ": it was gone" : "");
  finish(op, gone ? -ENOTCONN : 0);
}

void FakeKernel::discard(Operation& op) {
  Socket& socket = *op.socket;
  if (socket.unread() > 0) {
    std::uint64_t count = std::min(socket.unread(), op.length);
    if (random_.chance(chances_.data_in_pieces)) count = random_.between(1, count);
    socket.delivered += count;
    trace_.note("cqe #{} discards {} B", socket.id, count);
    network_.received(op.socket);
    return finish(op, static_cast<int>(count));
  }
  if (socket.dead && socket.error != 0) {
    socket.error_told = true;
    return finish(op, -std::exchange(socket.error, 0));
  }
  if (socket.fin || socket.dead) {
    socket.end_told = true;
    finish(op, 0);
  }
}

// --- cancelling ---

void FakeKernel::cancel(const Op& op, std::uint64_t target) {
  using Kind = Operation::Kind;
  delay(*op);
  const auto found = std::find_if(operations_.begin(), operations_.end(), [=](const Op& other) {
    return !other->over && other->user_data == target && other->kind != Kind::cancel;
  });
  const unsigned id = found != operations_.end() && (*found)->socket ? (*found)->socket->id : 0;
  if (found == operations_.end()) {
    op->result = -ENOENT;
  } else if ((*found)->cancelled) {
    op->result = -EALREADY;
  } else {
    Operation& hit = **found;
    if (hit.socket) hit.socket->ending = true;
    const bool elusive = hit.kind == Kind::receive || hit.kind == Kind::poll ||
                         hit.kind == Kind::send || hit.kind == Kind::room ||
                         hit.kind == Kind::loss || hit.kind == Kind::connect;
    if (elusive && hit.missed < 2 && (hit.going_on || random_.chance(chances_.cancel_misses))) {
      ++hit.missed;
      op->result = -ENOENT;
    } else {
      op->result = elusive && random_.chance(chances_.cancel_already) ? -EALREADY : 0;
      hit.cancelled = true;
      delay(hit);
      // One of the two CQEs is first; both can be long in coming.
      const bool first = random_.chance(chances_.cancel_first);
      if (first != (op->ready_at < hit.ready_at)) std::swap(op->ready_at, hit.ready_at);
    }
  }
  trace_.note("sqe #{} cancel: will be {}", id, op->result);
}

void FakeKernel::cancel_all(const Op& op) {
  delay(*op);
  for (const Op& other : operations_) {
    if (other->over || other->cancelled || other->kind == Operation::Kind::cancel) continue;
    // They run and end by themselves.
    if (other->kind == Operation::Kind::close) continue;
    if (other->kind == Operation::Kind::shutdown) continue;
    if (other->kind == Operation::Kind::read || other->kind == Operation::Kind::fin) continue;
    if (other->kind == Operation::Kind::install || other->kind == Operation::Kind::message) {
      continue;
    }
    other->cancelled = true;
    delay(*other);
    ++op->result;
  }
  trace_.note("sqe cancel all: {} found", op->result);
}

// What was due when the cancel came may still come, and with it the natural end.
void FakeKernel::end_cancelled(Operation& op) {
  using Kind = Operation::Kind;
  const bool natural = random_.chance(chances_.after_cancel);
  if (op.kind == Kind::send) {
    if (natural && !op.socket->dead) {
      op.socket->send_room += random_.between(1, 64);  // autotuning: there is room after all
      send_some(op, random_.chance(500));
    }
    return finish_send(op, op.done > 0 ? static_cast<int>(op.done) : -ECANCELED);
  }
  if ((op.kind == Kind::poll || op.kind == Kind::room) && natural) return finish(op, POLLOUT);
  if (op.kind == Kind::connect && natural && op.socket->dial.at <= clock_.now()) {
    return attempt_connect(op);
  }
  if (op.kind == Kind::receive && natural && !op.discards) {
    const Socket& socket = *op.socket;
    while (op.multishot && socket.unread() > 0 && home_count_ > 0 && random_.chance(500)) {
      deliver(op, false);
      if (op.over) return;
    }
    if (home_count_ == 0) return finish(op, -ENOBUFS);
    if (socket.unread() > 0) return deliver(op, true);
    if (socket.fin) return finish_at_end(op);
  }
  if (op.kind == Operation::Kind::connect) ++dials_failed_;  // it was not waited for any longer
  if (op.socket) trace_.note("cqe #{} cancelled", op.socket->id);
  finish(op, -ECANCELED);
}

// --- buffers ---

// Reads what the server provided since the last look. A buffer that is home holds nothing any more:
// whoever still reads it, shall see it.
void FakeKernel::take_provided() {
  const unsigned mask = buffers_->count() - 1;
  const io_uring_buf_ring* ring = buffers_->entries();
  for (const std::uint16_t tail = ring->tail; provided_tail_ != tail; ++provided_tail_) {
    const io_uring_buf& entry = entry_at(provided_tail_);
    const unsigned id = entry.bid;
    if (id > mask || entry.len != buffers_->size() ||
        reinterpret_cast<const std::byte*>(entry.addr) !=
            buffers_->address(static_cast<BufferId>(id))) {
      trace_.fail("safety", "buffer {} is provided with another's address or size", id);
    }
    if (home_[id]) trace_.fail("safety", "buffer {} is provided twice", id);
    const auto reads = [=, this](const Payload& payload) {
      return std::any_of(payload.pieces.begin(), payload.pieces.end(),
                         [=, this](const iovec& piece) {
                           return buffer_of(piece.iov_base) == static_cast<int>(id);
                         });
    };
    for (const Op& op : operations_) {
      if (!op->over && reads(op->payload)) {
        trace_.fail("safety", "buffer {} is provided while a send of #{} reads it", id,
                    op->socket->id);
      }
    }
    for (const Notification& notification : notifications_) {
      if (reads(notification.payload)) {
        trace_.fail("safety", "buffer {} is provided before the notification of #{}'s send", id,
                    notification.socket->id);
      }
    }
    home_[id] = true;
    ++home_count_;
    scribble(id);
  }
  if (home_count_ == 0) home_empty_at_ = clock_.now();
}

unsigned FakeKernel::take_buffer() {
  const unsigned id = entry_at(provided_head_++).bid;
  home_[id] = false;
  if (--home_count_ == 0) home_empty_at_ = clock_.now();
  return id;
}

// The kernel writes there, too.
io_uring_buf& FakeKernel::entry_at(unsigned place) const noexcept {
  auto* ring = const_cast<io_uring_buf_ring*>(buffers_->entries());
  return reinterpret_cast<io_uring_buf*>(ring)[place & (buffers_->count() - 1)];
}

void FakeKernel::fill(unsigned id, const Script& script, std::uint64_t position, unsigned count) {
  std::byte* memory = buffers_->address(static_cast<BufferId>(id));
  unpoison(memory, buffers_->size());
  script.say(position, {memory, count});
  poison(memory, buffers_->size());
}

void FakeKernel::scribble(unsigned id) {
  std::byte* memory = buffers_->address(static_cast<BufferId>(id));
  unpoison(memory, buffers_->size());
  std::memset(memory, 0xdb, buffers_->size());
  poison(memory, buffers_->size());
}

// What is home belongs to nobody: whoever still reads it, shall see it.
void FakeKernel::scribble_pooled() {
  for (std::uint32_t id = 0; id < pooled_->count(); ++id) {
    const bool was_home = pooled_home_[id];
    pooled_home_[id] = pooled_->is_home(id);
    if (was_home || !pooled_home_[id]) continue;
    std::byte* memory = pooled_->address(id);
    unpoison(memory, pooled_->size());
    std::memset(memory, 0xdb, pooled_->size());
    poison(memory, pooled_->size());
  }
  // Who would like two at once waits a tick for the second.
  const unsigned enough = subject == Subject::awkward ? 2 : 1;
  if (pooled_->free() < enough) pooled_out_at_ = clock_.now();
}

int FakeKernel::buffer_of(const void* address) const noexcept {
  const std::byte* base = buffers_->address(BufferId{0});
  const auto* byte = static_cast<const std::byte*>(address);
  const std::size_t size = std::size_t{buffers_->count()} * buffers_->size();
  if (byte < base || byte >= base + size) return -1;
  return static_cast<int>(static_cast<std::size_t>(byte - base) / buffers_->size());
}

void FakeKernel::compare(const Socket& socket, const Payload& payload, std::uint64_t bytes,
                         const char* when) {
  if (off_script()) return;
  std::uint64_t position = payload.position;
  for (const iovec& piece : payload.pieces) {
    const std::size_t size = std::min<std::uint64_t>(piece.iov_len, bytes);
    const std::size_t right =
        agrees(socket, position, {static_cast<const std::byte*>(piece.iov_base), size});
    if (right < size) {
      trace_.fail("content", "byte {} of #{} is wrong {}", position + right, socket.id, when);
    }
    position += size;
    bytes -= size;
  }
  // Whoever has heard something may have something to say.
  if (socket.script->listens() && socket.peer != nullptr) network_.received(socket.peer->socket);
}

}  // namespace lab::fake
