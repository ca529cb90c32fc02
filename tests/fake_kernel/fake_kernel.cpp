#include "tests/fake_kernel/fake_kernel.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace lab::fake {

FakeKernel::FakeKernel(const Scenario& scenario, Random& random, Clock& clock, Trace& trace,
                       Network& network)
    : scenario_(scenario),
      chances_(scenario.chances),
      random_(random),
      clock_(clock),
      trace_(trace),
      network_(network),
      limits_(scenario, clock, trace),
      table_(scenario.options.connections_max),
      home_(scenario.options.buffer_count, false),
      can_reset_(scenario.features.has(Feature::slot_options)) {}

void FakeKernel::attach(Ring& ring, const BufferRing& buffers, PooledBuffers& pooled) {
  ring_ = &ring;
  buffers_ = &buffers;
  pooled_ = &pooled;
  pooled_home_.assign(pooled.count(), false);
  take_provided();
}

int FakeKernel::enter(void* context, Ring&, unsigned to_submit, unsigned wait_for) noexcept {
  return static_cast<FakeKernel*>(context)->enter(to_submit, wait_for);
}

std::uint64_t FakeKernel::now(void* context) noexcept {
  return static_cast<FakeKernel*>(context)->clock_.now();
}

int FakeKernel::enter(unsigned to_submit, unsigned wait_for) {
  clock_.advance(random_.between(1, 20) * microsecond);
  if (++enters_ > 1'000'000) trace_.fail("liveness", "a million enters and no end");
  if (random_.chance(chances_.enter_error)) {
    if (to_submit == 0 && wait_for > 0) return -EINTR;
    if (to_submit > 0) return random_.chance(500) ? -EBUSY : -EAGAIN;
  }
  take_provided();
  scribble_pooled();
  if (watch_pairs_) watch_pairs_();
  const unsigned taken = submit(to_submit);
  limits_.turn_over();
  progress();
  flush_overflow();
  while (ready() < wait_for) {
    if (ready() == 0) judge_rest();
    if (clock_.idle()) trace_.fail("liveness", "the server waits and nothing will ever come");
    clock_.step();
    progress();
    flush_overflow();
  }
  idle_enters_ = taken == 0 && ready() == 0 ? idle_enters_ + 1 : 0;
  if (idle_enters_ > 1000) trace_.fail("liveness", "a thousand enters for nothing: it spins");
  oversleep();
  limits_.turn_begins(std::exchange(tick_posted_, false));
  return static_cast<int>(taken);
}

// What was posted has to wait: the server has no processor. What it does in a drain is judged by
// time, so there it has one.
void FakeKernel::oversleep() {
  if (scenario_.slow_ns == 0 || draining_at_ != 0) return;
  if (clock_.now() / scenario_.slow_phase_ns % 2 == 0) return;
  clock_.advance(random_.between(scenario_.slow_ns / 2, scenario_.slow_ns));
}

// --- the submission queue ---

unsigned FakeKernel::submit(unsigned count) {
  io_uring_sq& queue = ring_->raw()->sq;
  unsigned head = *queue.khead;
  const unsigned tail = std::atomic_ref<unsigned>(*queue.ktail).load(std::memory_order_acquire);
  Op chain;  // the last of a chain that is being read, whose first is in chain_first
  Op chain_first;
  unsigned taken = 0;
  for (; head != tail && taken < count; ++head, ++taken) {
    const io_uring_sqe& sqe = queue.sqes[head & queue.ring_mask];
    const Op op = parse(sqe);
    const bool links = (sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) != 0;
    if (chain != nullptr) {
      chain->linked = op;
      chain = links ? op : nullptr;
      if (chain == nullptr) begin(chain_first);
    } else if (links) {
      chain = chain_first = op;
    } else {
      begin(op);
    }
  }
  std::atomic_ref<unsigned>(*queue.khead).store(head, std::memory_order_release);
  if (chain != nullptr) begin(chain_first);  // a chain ends with its submission
  return taken;
}

FakeKernel::Op FakeKernel::parse(const io_uring_sqe& sqe) {
  auto op = std::make_shared<Operation>();
  op->user_data = sqe.user_data;
  switch (sqe.opcode) {
    case IORING_OP_ACCEPT:
      op->kind = Operation::Kind::accept;
      op->multishot = (sqe.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
      op->memory = reinterpret_cast<std::byte*>(sqe.addr);
      op->memory_size = reinterpret_cast<socklen_t*>(sqe.addr2);
      trace_.note("sqe accept{}", op->multishot ? " multishot" : "");
      if (acceptor_.attached()) trace_.fail("safety", "a reactor accepts");
      limits_.judge_accept(op->memory != nullptr, op->multishot);
      break;
    case IORING_OP_TIMEOUT: {
      op->kind = Operation::Kind::timer;
      op->multishot = (sqe.timeout_flags & IORING_TIMEOUT_MULTISHOT) != 0;
      const auto* time = reinterpret_cast<const __kernel_timespec*>(sqe.addr);
      op->period_ns = static_cast<std::uint64_t>(time->tv_sec) * 1'000'000'000U +
                      static_cast<std::uint64_t>(time->tv_nsec);
      break;
    }
    case IORING_OP_ASYNC_CANCEL:
      op->kind = Operation::Kind::cancel;
      op->length = sqe.addr;  // the target
      op->multishot = (sqe.cancel_flags & IORING_ASYNC_CANCEL_ANY) != 0;
      break;
    case IORING_OP_CLOSE:
      op->kind = Operation::Kind::close;
      op->slot = static_cast<int>(sqe.file_index) - 1;
      break;
    case IORING_OP_READ:
      op->kind = Operation::Kind::read;
      op->fd = sqe.fd;
      op->memory = reinterpret_cast<std::byte*>(sqe.addr);
      op->length = sqe.len;
      op->payload.position = sqe.off;
      break;
    case IORING_OP_MSG_RING:
      op->kind = Operation::Kind::message;
      op->length = sqe.len;
      acceptor_.judge_message(sqe);
      break;
    case IORING_OP_SOCKET:
      op->kind = Operation::Kind::socket;
      if (!parse_dialling(sqe, *op)) trace_.fail("safety", "a socket that nobody needs");
      break;
    default:
      parse_on_slot(sqe, op);
  }
  return op;
}

void FakeKernel::parse_on_slot(const io_uring_sqe& sqe, const Op& op) {
  if ((sqe.flags & IOSQE_FIXED_FILE) == 0) {
    trace_.fail("safety", "opcode {} without IOSQE_FIXED_FILE", sqe.opcode);
  }
  op->slot = sqe.fd;
  if (dials() && parse_dialling(sqe, *op)) return;
  switch (sqe.opcode) {
    case IORING_OP_RECV:
      op->kind = Operation::Kind::receive;
      op->multishot = (sqe.ioprio & IORING_RECV_MULTISHOT) != 0;
      op->length = op->multishot ? sqe.optlen : sqe.len;
      if (op->multishot && op->length > 0 && !scenario_.features.has(Feature::recv_total)) {
        trace_.fail("safety", "a receive with a total, which this kernel does not have");
      }
      op->bundles = (sqe.ioprio & IORING_RECVSEND_BUNDLE) != 0;
      if (op->bundles && !scenario_.features.has(Feature::recv_bundle)) {
        trace_.fail("safety", "a bundle, which this kernel does not have");
      }
      if (op->bundles && (op->length == 0 || op->length > 16U * buffers_->size())) {
        trace_.fail("safety", "a bundle of {} B: more than its share", op->length);
      }
      op->discards = (sqe.msg_flags & MSG_TRUNC) != 0 && sqe.addr == 0;
      if (op->discards) break;
      if ((sqe.flags & IOSQE_BUFFER_SELECT) == 0 || sqe.buf_group != buffers_->group()) {
        trace_.fail("safety", "a receive that does not name the buffer ring");
      }
      break;
    case IORING_OP_POLL_ADD:
      op->kind = Operation::Kind::poll;
      break;
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND_ZC:
      op->kind = Operation::Kind::send;
      parse_send(sqe, *op);
      break;
    case IORING_OP_SHUTDOWN:
      if (sqe.len == SHUT_WR && !plainly_echoes()) {
        op->kind = Operation::Kind::fin;
        break;
      }
      op->kind = Operation::Kind::shutdown;
      if (scenario_.features.has(Feature::slot_release)) {
        trace_.fail("safety", "a shutdown on a kernel whose closes need none");
      }
      if (sqe.len != SHUT_RDWR || (sqe.flags & IOSQE_IO_HARDLINK) == 0) {
        trace_.fail("safety", "a shutdown that is not the first half of a close");
      }
      break;
    case IORING_OP_URING_CMD:
      op->kind = Operation::Kind::option;
      if (!scenario_.features.has(Feature::slot_options)) {
        trace_.fail("safety", "a socket option on a slot, which this kernel does not have");
      }
      if (sqe.cmd_op != SOCKET_URING_OP_SETSOCKOPT || sqe.level != SOL_SOCKET ||
          sqe.optname != SO_LINGER) {
        trace_.fail("safety", "an unknown command on a socket");
      }
      break;
    default:
      trace_.fail("safety", "opcode {} is not one that the server needs", sqe.opcode);
  }
}

void FakeKernel::parse_send(const io_uring_sqe& sqe, Operation& op) {
  op.waits_for_all = (sqe.msg_flags & MSG_WAITALL) != 0;
  if (sqe.opcode == IORING_OP_SENDMSG) {
    const auto* message = reinterpret_cast<const msghdr*>(sqe.addr);
    op.payload.pieces.assign(message->msg_iov, message->msg_iov + message->msg_iovlen);
  } else {
    op.payload.pieces.push_back({reinterpret_cast<void*>(sqe.addr), sqe.len});
    op.zero_copy = sqe.opcode == IORING_OP_SEND_ZC;
    op.report_usage = op.zero_copy && (sqe.ioprio & IORING_SEND_ZC_REPORT_USAGE) != 0;
    if (op.report_usage && !scenario_.features.has(Feature::zero_copy_report)) {
      trace_.fail("safety", "a usage report is asked for, which this kernel does not have");
    }
  }
  for (const iovec& piece : op.payload.pieces) op.length += piece.iov_len;
}

// The state of the slot counts now, not when the SQE was filled.
void FakeKernel::begin(const Op& op) {
  using Kind = Operation::Kind;
  Operation& started = *op;
  if (started.slot >= 0) started.number = ++numbered_;
  switch (started.kind) {
    case Kind::receive:
    case Kind::poll: {
      const char* what = started.kind == Kind::poll ? "poll" : "receive";
      judge_slot(started.slot, what);
      started.socket = table_[static_cast<std::size_t>(started.slot)];
      trace_.note("sqe #{} {}{} {}", started.socket->id, what,
                  started.multishot ? " multishot" : "", started.length);
      judge_owner(started);
      started.socket->receive = &started;
      started.socket->ending = false;
      started.socket->parked_at = 0;
      break;
    }
    case Kind::send:
      judge_slot(started.slot, "send");
      started.socket = table_[static_cast<std::size_t>(started.slot)];
      trace_.note("sqe #{} send{} {} B in {} pieces", started.socket->id,
                  started.zero_copy ? " zero copy" : "", started.length,
                  started.payload.pieces.size());
      judge_send(started);
      started.payload.position = started.socket->taken;
      started.socket->send = &started;
      started.socket->send_data = started.user_data;
      started.socket->ending = false;
      started.socket->parked_at = 0;
      if (started.socket->notifications_due == 0) started.socket->progress_at = clock_.now();
      break;
    case Kind::shutdown:
      judge_slot(started.slot, "shutdown");
      started.socket = table_[static_cast<std::size_t>(started.slot)];
      started.socket->close_begun = true;
      limits_.leaves(*started.socket, draining_at_ != 0);
      trace_.note("sqe #{} shutdown", started.socket->id);
      break;
    case Kind::fin:
      judge_slot(started.slot, "FIN");
      started.socket = table_[static_cast<std::size_t>(started.slot)];
      trace_.note("sqe #{} FIN", started.socket->id);
      ++started.socket->own;
      if (dials()) judge_fin(*started.socket);
      if (started.socket->unsent() > 0 && !off_script()) {
        trace_.fail("content", "FIN on #{} with {} B unsent", started.socket->id,
                    started.socket->unsent());
      }
      break;
    case Kind::read:
      trace_.note("sqe read {} B at {}", started.length, started.payload.position);
      break;
    case Kind::close:
      judge_slot(started.slot, "close");
      started.socket = table_[static_cast<std::size_t>(started.slot)];
      trace_.note("sqe #{} close slot {}", started.socket->id, started.slot);
      judge_close(started);
      break;
    case Kind::option:
      judge_slot(started.slot, "option");
      started.socket = table_[static_cast<std::size_t>(started.slot)];
      started.socket->close_begun = true;
      limits_.leaves(*started.socket, draining_at_ != 0);
      trace_.note("sqe #{} linger", started.socket->id);
      break;
    case Kind::timer:
      if (started.multishot && !scenario_.features.has(Feature::timer_multishot)) {
        trace_.fail("safety", "a multishot timeout, which this kernel does not have");
      }
      tick_data_ = started.user_data;
      started.ready_at = clock_.now() + started.period_ns;
      clock_.after(started.period_ns, [] {});
      break;
    case Kind::cancel:
      if (started.multishot) {
        cancel_all(op);
      } else {
        cancel(op, started.length);
      }
      break;
    case Kind::socket:
    case Kind::connect:
    case Kind::room:
    case Kind::knob:
    case Kind::install:
    case Kind::loss:
      begin_dialling(started);
      break;
    case Kind::accept:
      if (started.multishot) accept_data_ = started.user_data;
      break;
    case Kind::message:
      trace_.note("sqe {} credits", started.length);
      break;
  }
  operations_.push_back(op);
  if (started.kind != Kind::timer && started.kind != Kind::cancel) delay(started);
}

// --- progress ---

// In a drawn order: completions of different operations are not ordered.
void FakeKernel::progress() {
  attempt_notifications();
  std::vector<Op> due;
  for (const Op& op : operations_) {
    if (op->ready_at <= clock_.now()) due.push_back(op);
  }
  for (std::size_t left = due.size(); left > 1; --left) {
    std::swap(due[left - 1], due[random_.below(left)]);
  }
  for (const Op& op : due) {
    if (!op->over) attempt(op);
  }
  post_finished();
  std::erase_if(operations_, [](const Op& op) { return op->over; });
  if (acceptor_.attached()) pass_clients();
  release_files();
}

void FakeKernel::attempt(const Op& op) {
  using Kind = Operation::Kind;
  if (op->cancelled) {
    end_cancelled(*op);
    return;
  }
  switch (op->kind) {
    case Kind::accept:
      return attempt_accept(*op);
    case Kind::receive:
      return attempt_receive(*op);
    case Kind::poll:
      return attempt_poll(*op);
    case Kind::send:
      return attempt_send(*op);
    case Kind::shutdown:
      return attempt_shutdown(*op);
    case Kind::close:
      return attempt_close(*op);
    case Kind::option:
      return attempt_option(*op);
    case Kind::timer:
      return attempt_timer(*op);
    case Kind::read:
      return attempt_read(*op);
    case Kind::fin:
      return attempt_fin(*op);
    case Kind::socket:
      return attempt_socket(*op);
    case Kind::connect:
      return attempt_connect(*op);
    case Kind::room:
      return attempt_room(*op);
    case Kind::knob:
      return finish(*op, 0);
    case Kind::install:
      return attempt_install(*op);
    case Kind::loss:
      return attempt_loss(*op);
    case Kind::message:
      return attempt_message(*op);
    case Kind::cancel:
      trace_.note("cqe cancel: {}", op->result);
      return finish(*op, op->result);
  }
}

void FakeKernel::finish(Operation& op, int result, unsigned flags) {
  op.over = true;
  if (op.socket != nullptr) {
    if (op.socket->receive == &op) op.socket->receive = nullptr;
    if (op.socket->send == &op) op.socket->send = nullptr;
    using Kind = Operation::Kind;
    const bool own = op.kind == Kind::fin || op.kind == Kind::connect || op.kind == Kind::room ||
                     op.kind == Kind::knob || op.kind == Kind::install;
    if (own) --op.socket->own;
    if (op.kind == Kind::install) --op.socket->installs;
    if (op.socket->loss == &op) op.socket->loss = nullptr;
  }
  if (random_.chance(chances_.finished_last)) {
    finished_.push_back({op.user_data, result, flags});
  } else {
    post(op.user_data, result, flags);
  }
  if (op.linked != nullptr) begin(op.linked);
}

// An operation that ends is completed in a batch with others that end, behind what went on.
void FakeKernel::post_finished() {
  for (const Held& cqe : finished_) post(cqe.user_data, cqe.result, cqe.flags);
  finished_.clear();
}

std::uint64_t FakeKernel::draw_delay() {
  if (random_.chance(chances_.at_once)) return 0;
  if (random_.chance(chances_.late)) return random_.between(200, 3000) * microsecond;
  return random_.between(1, 100) * microsecond;
}

void FakeKernel::delay(Operation& op) {
  const std::uint64_t wait = draw_delay();
  op.ready_at = clock_.now() + wait;
  if (wait > 0) clock_.after(wait, [] {});
}

// --- the completion queue ---

unsigned FakeKernel::ready() const noexcept {
  const io_uring_cq& queue = ring_->raw()->cq;
  return *queue.ktail - *queue.khead;
}

bool FakeKernel::queue_has_room() const noexcept {
  const unsigned limit = std::min(scenario_.queue_limit, ring_->raw()->cq.ring_entries);
  return overflow_.empty() && ready() < limit;
}

void FakeKernel::post(std::uint64_t user_data, int result, unsigned flags) {
  const Held cqe{user_data, result, flags};
  if (queue_has_room()) {
    write_cqe(cqe);
    return;
  }
  overflow_.push_back(cqe);
  *ring_->raw()->sq.kflags |= IORING_SQ_CQ_OVERFLOW;
}

void FakeKernel::write_cqe(const Held& cqe) {
  if (cqe.user_data == tick_data_) tick_posted_ = true;
  io_uring_cq& queue = ring_->raw()->cq;
  const unsigned tail = *queue.ktail;
  io_uring_cqe& entry = queue.cqes[tail & queue.ring_mask];
  entry.user_data = cqe.user_data;
  entry.res = cqe.result;
  entry.flags = cqe.flags;
  std::atomic_ref<unsigned>(*queue.ktail).store(tail + 1, std::memory_order_release);
}

void FakeKernel::flush_overflow() {
  const unsigned limit = std::min(scenario_.queue_limit, ring_->raw()->cq.ring_entries);
  while (!overflow_.empty() && ready() < limit) {
    write_cqe(overflow_.front());
    overflow_.pop_front();
  }
  if (overflow_.empty()) *ring_->raw()->sq.kflags &= ~IORING_SQ_CQ_OVERFLOW;
}

unsigned FakeKernel::slots_taken() const noexcept {
  return static_cast<unsigned>(
      std::count_if(table_.begin(), table_.end(), [](const auto& socket) { return !!socket; }));
}

std::size_t FakeKernel::operations_in_flight() const noexcept {
  return notifications_.size() + static_cast<std::size_t>(std::count_if(
                                     operations_.begin(), operations_.end(), [](const Op& op) {
                                       return op->kind != Operation::Kind::cancel;
                                     }));
}

bool FakeKernel::waits_for_tcp_alone() const noexcept {
  return !notifications_.empty() &&
         std::all_of(notifications_.begin(), notifications_.end(), [this](const auto& due) {
           return !can_reset_ || (due.socket->closed && !due.socket->linger);
         });
}

}  // namespace lab::fake
