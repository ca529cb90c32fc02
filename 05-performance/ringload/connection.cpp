#include "05-performance/ringload/connection.hpp"

#include <algorithm>
#include <cerrno>

namespace lab {

Connection::Connection(Traffic& traffic, unsigned number, std::uint64_t* asked_at_ns) noexcept
    : traffic_(traffic), number_(number), asked_at_ns_(asked_at_ns) {
  const Talk::Start start = traffic.talk.start(number);
  send_place_ = start.question_place;
  receive_place_ = start.answer_place;
  asked_turn_ = answered_turn_ = start.turn;
  reply_left_ = traffic.talk.answer_size(start.turn);
}

void Connection::connect(const sockaddr_storage& address, socklen_t size) noexcept {
  connect_.start(traffic_.ring, slot(), address, size);
}

void Connection::start() noexcept {
  if (!traffic_.options.spin) receive_next();
  if (traffic_.schedule == nullptr && !traffic_.options.stream) {
    std::fill_n(asked_at_ns_, traffic_.options.depth, traffic_.ring.now_ns());
    ask(traffic_.options.depth);
  }
  send_next();
}

void Connection::add_due() noexcept {
  if (lost_) return;
  if (unanswered_ == traffic_.options.depth) {
    ++held_back_;
    return;
  }
  ++unanswered_;
  ask(1);
  send_next();
}

void Connection::look(std::span<std::byte> memory) noexcept {
  found_ = false;
  look_memory_ = memory;
  if (traffic_.discard) {
    recv_once_.start_discard_now(traffic_.ring, slot());
  } else {
    recv_once_.start_now(traffic_.ring, slot(), memory);
  }
}

void Connection::expire() noexcept {
  if (waits()) {
    fail({.kind = LoadFailure::Kind::no_answer,
          .connection = number_,
          .position = received_,
          .awaited = awaited_ - received_});
  }
}

void Connection::on_connect(Cqe cqe) noexcept {
  if (cqe.res == 0) {
    ++traffic_.connected;
    return;
  }
  ++traffic_.connects_failed;
  if (traffic_.failure.kind == LoadFailure::Kind::none) {
    traffic_.failure = {.kind = LoadFailure::Kind::error, .connection = number_, .error = -cqe.res};
  }
}

void Connection::on_recv(Cqe cqe) noexcept {
  if (cqe.has_buffer()) {
    const BufferLease lease = traffic_.buffers.lease(cqe);
    if (cqe.res > 0) take(lease.bytes());
  }
  // -ENOBUFS: the buffers of this batch are home again when its handlers have run, and the receive
  // is submitted after that.
  if (cqe.res <= 0 && cqe.res != -ENOBUFS) fail_receive(cqe.res);
  if (!recv_.armed()) receive_next();
  send_next();
}

void Connection::on_recv_once(Cqe cqe) noexcept {
  if (cqe.res == -EAGAIN) return;  // a look that found nothing
  found_ = true;
  ++traffic_.looks_found;
  if (cqe.res <= 0) {
    fail_receive(cqe.res);
  } else if (traffic_.discard) {
    count_bytes(static_cast<std::size_t>(cqe.res));
  } else {
    take(look_memory_.first(static_cast<std::size_t>(cqe.res)));
  }
  if (!traffic_.options.spin) receive_next();
  send_next();
}

void Connection::on_send(Cqe cqe) noexcept {
  if (cqe.res < 0) {
    fail({.kind = LoadFailure::Kind::error,
          .connection = number_,
          .position = sent_,
          .error = -cqe.res});
    return;
  }
  const auto count = static_cast<std::size_t>(cqe.res);
  sent_ += count;
  traffic_.bytes_out += count;
  send_place_ = traffic_.talk.question_after(send_place_, count);
  send_next();
}

void Connection::receive_next() noexcept {
  if (lost_ || traffic_.closing) return;
  if (traffic_.discard) {
    recv_once_.start_discard(traffic_.ring, slot());
  } else {
    recv_.start(traffic_.ring, slot(), traffic_.buffers);
  }
}

void Connection::take(std::span<const std::byte> bytes) noexcept {
  if (lost_) return;
  if (traffic_.options.check && !traffic_.talk.hears(receive_place_, bytes)) {
    const auto expected = traffic_.talk.answer(receive_place_, bytes.size());
    const auto [wanted, got] = std::ranges::mismatch(expected, bytes);
    fail({.kind = LoadFailure::Kind::wrong_byte,
          .connection = number_,
          .position = received_ + static_cast<std::uint64_t>(got - bytes.begin()),
          .expected = std::to_integer<unsigned>(*wanted),
          .actual = std::to_integer<unsigned>(*got)});
    return;
  }
  receive_place_ = traffic_.talk.answer_after(receive_place_, bytes.size());
  count_bytes(bytes.size());
}

// Turns bytes into replies. A reply may come in pieces, and one piece may hold many replies.
void Connection::count_bytes(std::size_t count) noexcept {
  if (lost_) return;
  if (count > awaited_ - received_) {
    fail({.kind = LoadFailure::Kind::byte_too_many, .connection = number_, .position = awaited_});
    return;
  }
  received_ += count;
  traffic_.bytes_in += count;
  traffic_.bytes_unanswered -= count;
  std::uint64_t replies = 0;
  for (; count >= reply_left_; ++replies) {
    count -= reply_left_;
    answered_turn_ = traffic_.talk.turn_after(answered_turn_);
    reply_left_ = traffic_.talk.answer_size(answered_turn_);
    on_reply();
  }
  reply_left_ -= count;
  if (traffic_.options.stream || replies == 0) return;
  if (traffic_.schedule != nullptr) {
    unanswered_ -= static_cast<unsigned>(replies);
    if (traffic_.stopping) return;
    replies = std::min<std::uint64_t>(held_back_, traffic_.options.depth - unanswered_);
    held_back_ -= replies;
    unanswered_ += static_cast<unsigned>(replies);
    ask(replies);
  } else if (!traffic_.stopping) {
    ask(replies);
  }
}

void Connection::on_reply() noexcept {
  ++traffic_.replies;
  if (traffic_.options.stream) return;  // a stream has no questions, so no latency
  const std::uint64_t now = traffic_.ring.now_ns();
  std::uint64_t asked = 0;
  if (traffic_.schedule != nullptr) {
    asked = traffic_.schedule->due_ns(number_, replies_++);
  } else {
    asked = asked_at_ns_[turn_];
    asked_at_ns_[turn_] = now;
    if (++turn_ == traffic_.options.depth) turn_ = 0;
  }
  if (traffic_.measuring) traffic_.latency.record(now - asked);
}

void Connection::ask(std::uint64_t messages) noexcept {
  for (; messages > 0; --messages) {
    const std::size_t answer = traffic_.talk.answer_size(asked_turn_);
    due_ += traffic_.talk.question_size(asked_turn_);
    awaited_ += answer;
    traffic_.bytes_unanswered += answer;
    asked_turn_ = traffic_.talk.turn_after(asked_turn_);
  }
}

// Sends all that is due in one operation: as many messages as replies came, when they came
// together.
void Connection::send_next() noexcept {
  if (send_.armed() || lost_ || traffic_.closing) return;
  if (due_ == sent_) {
    if (!traffic_.options.stream || traffic_.stopping) return;
    due_ += Traffic::send_max;
    awaited_ += Traffic::send_max;
    traffic_.bytes_unanswered += Traffic::send_max;
  }
  const std::size_t count = std::min<std::uint64_t>(due_ - sent_, Traffic::send_max);
  send_.start(traffic_.ring, slot(), traffic_.talk.question(send_place_, count));
}

void Connection::fail_receive(int res) noexcept {
  fail({.kind = res == 0 ? LoadFailure::Kind::closed_by_server : LoadFailure::Kind::error,
        .connection = number_,
        .position = received_,
        .error = -res});
}

void Connection::fail(const LoadFailure& failure) noexcept {
  if (lost_ || traffic_.closing) return;
  lost_ = true;
  ++traffic_.lost;
  traffic_.bytes_unanswered -= awaited_ - received_;
  const bool content = failure.kind == LoadFailure::Kind::wrong_byte ||
                       failure.kind == LoadFailure::Kind::byte_too_many;
  if (content) ++traffic_.content_errors;
  if (traffic_.failure.kind == LoadFailure::Kind::none) traffic_.failure = failure;
}

}  // namespace lab
