#include "05-performance/ringload/churn.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>

#include "05-performance/ringload/silence.hpp"
#include "05-performance/ringload/stop.hpp"

namespace lab {

namespace {

constexpr std::uint64_t tick_ns = 20'000'000;

BufferRingOptions buffer_ring_options(const LoadOptions& options) {
  const std::size_t size = std::bit_ceil(std::clamp<std::size_t>(options.size, 256, 16384));
  const unsigned count = std::clamp(std::bit_ceil(options.connections), 64U, 1024U);
  return {.count = count, .size = static_cast<unsigned>(size)};
}

}  // namespace

void ChurnLane::begin() noexcept {
  at_rest_ = false;
  ending_ = failed_ = false;
  measured_ = traffic_.measuring;
  began_ns_ = moved_at_ns_ = traffic_.ring.now_ns();
  messages_left_ = traffic_.options.messages;
  // Every connection has a stream of its own, so the bytes of the one before cannot pass for it.
  const Talk::Start start = traffic_.talk.start(traffic_.begun++);
  turn_ = start.turn;
  send_place_ = start.question_place;
  receive_place_ = start.answer_place;
  try {
    // With system calls: socket options as operations need Linux 6.7. They are about 5 % of what a
    // connection costs.
    put_into_slot(traffic_.ring, number_,
                  open_tcp_socket(traffic_.options, traffic_.server.family(),
                                  traffic_.options.linger_reset ? Ending::reset : Ending::fin));
  } catch (const std::system_error& error) {
    at_rest_ = true;
    ++traffic_.lanes_at_rest;
    fail({.kind = LoadFailure::Kind::error, .connection = number_, .error = error.code().value()});
    return;
  }
  connect_.start(traffic_.ring, slot(), traffic_.server.storage, traffic_.server.size);
}

void ChurnLane::on_connect(Cqe cqe) noexcept {
  moved_at_ns_ = traffic_.ring.now_ns();
  if (cqe.res < 0) {
    fail({.kind = LoadFailure::Kind::error, .connection = number_, .error = -cqe.res});
    return close_when_idle();
  }
  if (measured_) traffic_.measured.connect.record(moved_at_ns_ - began_ns_);
  ask();
}

void ChurnLane::on_send(Cqe cqe) noexcept {
  if (cqe.res < 0) {
    fail({.kind = LoadFailure::Kind::error,
          .connection = number_,
          .position = sent_,
          .error = -cqe.res});
  } else {
    const auto count = static_cast<std::size_t>(cqe.res);
    sent_ += count;
    send_place_ = traffic_.talk.question_after(send_place_, count);
    traffic_.bytes_out += count;
    if (!ending_ && !all_sent()) return send_rest();
    // The answer to all of it may have come before this result did.
    if (!ending_ && awaited() == 0) return end();
  }
  close_when_idle();
}

void ChurnLane::on_recv(Cqe cqe) noexcept {
  if (cqe.has_buffer()) {
    const BufferLease lease = traffic_.buffers.lease(cqe);
    if (cqe.res > 0) take(lease.bytes());
  }
  // -ENOBUFS: the buffers of this batch are home again before the next receive is submitted.
  if (cqe.res <= 0 && cqe.res != -ENOBUFS) {
    fail({.kind = cqe.res == 0 ? LoadFailure::Kind::closed_by_server : LoadFailure::Kind::error,
          .connection = number_,
          .position = received_,
          .error = -cqe.res});
  }
  if (!ending_ && awaited() > 0) {
    return recv_.start_once(traffic_.ring, slot(), traffic_.buffers);
  }
  if (!ending_ && !send_.armed()) return end();
  close_when_idle();
}

void ChurnLane::on_close(Cqe cqe) noexcept {
  if (cqe.res < 0) {
    fail({.kind = LoadFailure::Kind::error, .connection = number_, .error = -cqe.res});
  }
  if (measured_ && !failed_ && traffic_.measuring) {
    ++traffic_.measured.connections;
    traffic_.measured.whole.record(traffic_.ring.now_ns() - began_ns_);
  }
  at_rest_ = true;
  if (failed_ || traffic_.stopping || traffic_.closing) {
    ++traffic_.lanes_at_rest;
  } else {
    begin();
  }
}

void ChurnLane::ask() noexcept {
  sent_ = received_ = received_at_move_ = 0;
  asked_ns_ = moved_at_ns_ = traffic_.ring.now_ns();
  send_rest();
  recv_.start_once(traffic_.ring, slot(), traffic_.buffers);
}

void ChurnLane::send_rest() noexcept {
  const std::size_t count = std::min(traffic_.talk.question_size(turn_) - sent_, Traffic::send_max);
  send_.start(traffic_.ring, slot(), traffic_.talk.question(send_place_, count));
}

void ChurnLane::take(std::span<const std::byte> bytes) noexcept {
  if (ending_) return;
  if (bytes.size() > awaited()) {
    return fail({.kind = LoadFailure::Kind::byte_too_many,
                 .connection = number_,
                 .position = received_ + awaited()});
  }
  if (traffic_.options.check && !traffic_.talk.hears(receive_place_, bytes)) {
    const auto expected = traffic_.talk.answer(receive_place_, bytes.size());
    const auto [wanted, got] = std::ranges::mismatch(expected, bytes);
    return fail({.kind = LoadFailure::Kind::wrong_byte,
                 .connection = number_,
                 .position = received_ + static_cast<std::uint64_t>(got - bytes.begin()),
                 .expected = std::to_integer<unsigned>(*wanted),
                 .actual = std::to_integer<unsigned>(*got)});
  }
  received_ += bytes.size();
  receive_place_ = traffic_.talk.answer_after(receive_place_, bytes.size());
  traffic_.bytes_in += bytes.size();
  if (received_ - received_at_move_ >= sign_of_life(traffic_.options)) {
    received_at_move_ = received_;
    moved_at_ns_ = traffic_.ring.now_ns();
  }
}

// The message is answered, and its send's result is in.
void ChurnLane::end() noexcept {
  ++traffic_.replies;
  if (traffic_.measuring) traffic_.latency.record(traffic_.ring.now_ns() - asked_ns_);
  turn_ = traffic_.talk.turn_after(turn_);
  if (--messages_left_ > 0 && !traffic_.closing) return ask();
  ending_ = true;
  close_when_idle();
}

void ChurnLane::close_when_idle() noexcept {
  if (!ending_ || connect_.armed() || send_.armed() || recv_.armed() || close_.armed()) return;
  close_.start(traffic_.ring, slot());
}

void ChurnLane::expire() noexcept {
  fail({.kind = connect_.armed() ? LoadFailure::Kind::no_connection : LoadFailure::Kind::no_answer,
        .connection = number_,
        .position = received_,
        .awaited = awaited()});
}

void ChurnLane::fail(const LoadFailure& failure) noexcept {
  ending_ = true;
  if (failed_ || traffic_.closing) return;
  failed_ = true;
  ++traffic_.lost;
  const bool content = failure.kind == LoadFailure::Kind::wrong_byte ||
                       failure.kind == LoadFailure::Kind::byte_too_many;
  if (content) ++traffic_.content_errors;
  if (traffic_.failure.kind == LoadFailure::Kind::none) traffic_.failure = failure;
}

Churn::Churn(const LoadOptions& options, Talk& talk)
    : options_(prepare_process(options, options.connections * sizeof(ChurnLane))),
      server_(find_tcp_server(options)),
      ring_({.sq_entries = std::clamp(std::bit_ceil(2 * options.connections), 64U, 8192U)}),
      table_(ring_, options.connections),
      buffer_options_(buffer_ring_options(options)),
      memory_(std::size_t{buffer_options_.count} * buffer_options_.size),
      buffers_(ring_, buffer_options_, memory_.memory()),
      traffic_{.ring = ring_,
               .buffers = buffers_,
               .talk = talk,
               .options = options_,
               .server = server_} {
  for (unsigned number = 0; number < options_.connections; ++number) {
    lanes_.emplace_back(traffic_, number);
  }
}

Churn::~Churn() {
  traffic_.closing = true;
  if (ring_.armed_count() == 0) return;
  cancel_.start_all(ring_);
  while (ring_.armed_count() != 0) ring_.run_once();
}

Report Churn::run() {
  tick_.start(ring_, tick_ns);
  ring_.run_once(0);
  for (ChurnLane& lane : lanes_) lane.begin();
  const Interval interval = measure(
      options_, traffic_,
      [this](std::uint64_t end_ns, std::uint64_t replies_end) { run_until(end_ns, replies_end); },
      [this] { return mark(); });
  drain();

  Report report = report_of(meter_, interval, traffic_);
  report.churn = traffic_.measured;
  report.lost = traffic_.lost;
  return report;
}

// One lane that fails ends the run: what makes a connection fail here makes the next one fail, too.
void Churn::run_until(std::uint64_t end_ns, std::uint64_t replies_end) noexcept {
  while (ring_.now_ns() < end_ns && traffic_.replies < replies_end && traffic_.lost == 0 &&
         !stop_requested) {
    ring_.run_once();
    expire_stuck();
  }
}

void Churn::drain() noexcept {
  traffic_.stopping = true;
  while (traffic_.lanes_at_rest < options_.connections && traffic_.lost == 0) {
    ring_.run_once();
    expire_stuck();
  }
}

void Churn::expire_stuck() noexcept {
  for (ChurnLane& lane : lanes_) {
    if (lane.stuck_for(patience_ns(options_))) lane.expire();
  }
}

Mark Churn::mark() {
  // A socket costs system calls beside the ring's: socket, its options, the table's update, close.
  const std::uint64_t calls_per_socket = options_.linger_reset ? 5 : 4;
  Mark mark = mark_of(meter_.read(), traffic_);
  mark.system_calls += traffic_.begun * calls_per_socket;
  return mark;
}

void Churn::on_tick(Cqe) noexcept {
  if (!traffic_.closing) tick_.start(ring_, tick_ns);
}

void Churn::on_cancel(Cqe) noexcept {}

}  // namespace lab
