#include "05-performance/ringload/flow.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lab {

namespace {

// Fates that a flow remembers beyond those in flight: how old a late answer can be and still be
// told from a duplicate.
constexpr std::size_t fates_kept = 4096;

}  // namespace

Flow::Flow(DatagramTraffic& traffic, unsigned number, std::span<std::byte> memory)
    : traffic_(traffic),
      number_(number),
      fates_(std::max<std::size_t>(fates_kept, std::size_t{2} * traffic.options.depth)) {
  const std::size_t size = traffic.options.size;
  for (unsigned turn = 0; turn < traffic.options.depth; ++turn) {
    turns_.emplace_back(*this, turn).memory = memory.subspan(turn * size, size);
    free_.push_back(&turns_.back());
  }
}

void Flow::start() noexcept {
  recv_.start(traffic_.ring, slot(), traffic_.buffers);
  if (traffic_.schedule != nullptr) return;
  while (!free_.empty()) {
    Turn* turn = free_.back();
    free_.pop_back();
    send_next(*turn);
  }
}

void Flow::add_due() noexcept {
  if (lost_) return;
  if (free_.empty()) {
    ++held_back_;
    return;
  }
  Turn* turn = free_.back();
  free_.pop_back();
  send_next(*turn);
}

void Flow::expire(std::uint64_t now_ns) noexcept {
  for (Turn& turn : turns_) {
    if (turn.waits && now_ns - turn.sent_ns >= traffic_.timeout_ns) settle(turn, Fate::lost);
  }
}

void Flow::on_recv(Cqe cqe) noexcept {
  if (cqe.has_buffer()) {
    const BufferLease lease = traffic_.buffers.lease(cqe);
    if (cqe.res >= 0) take(lease.bytes());
  }
  // -ENOBUFS: the buffers of this batch are home again before the next receive is submitted; what
  // came meanwhile waits in the socket.
  if (cqe.res < 0 && cqe.res != -ENOBUFS) {
    return fail({.kind = LoadFailure::Kind::error, .connection = number_, .error = -cqe.res});
  }
  if (!recv_.armed() && !lost_ && !traffic_.closing) {
    recv_.start(traffic_.ring, slot(), traffic_.buffers);
  }
}

void Flow::on_send(Turn& turn, Cqe cqe) noexcept {
  if (cqe.res < 0) {
    return fail({.kind = LoadFailure::Kind::error, .connection = number_, .error = -cqe.res});
  }
  traffic_.bytes_out += static_cast<std::uint64_t>(cqe.res);
  free_again(turn);
}

void Flow::take(std::span<const std::byte> bytes) noexcept {
  if (lost_) return;
  DatagramHeader header{};
  if (bytes.size() != traffic_.options.size) {
    return fail_content(
        {.kind = LoadFailure::Kind::wrong_size, .connection = number_, .position = bytes.size()});
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.flow != number_ || header.turn >= turns_.size() || header.number >= next_) {
    return fail_content({.kind = LoadFailure::Kind::wrong_datagram, .connection = number_});
  }
  const auto expected = content_of(header.number);
  const auto content = bytes.subspan(sizeof header);
  if (traffic_.options.check && !std::ranges::equal(expected, content)) {
    const auto [wanted, got] = std::ranges::mismatch(expected, content);
    return fail_content(
        {.kind = LoadFailure::Kind::wrong_byte,
         .connection = number_,
         .position = sizeof header + static_cast<std::uint64_t>(got - content.begin()),
         .expected = std::to_integer<unsigned>(*wanted),
         .actual = std::to_integer<unsigned>(*got)});
  }
  traffic_.bytes_in += bytes.size();
  Turn& turn = turns_[header.turn];
  if (!turn.waits || turn.number != header.number) return count_stray(header.number);
  ++traffic_.replies;
  if (turn.measured) {
    traffic_.latency.record(traffic_.ring.now_ns() - turn.due_ns);
    if (header.number + 1 < answered_highest_) ++traffic_.measured.reordered;
  }
  answered_highest_ = std::max(answered_highest_, header.number + 1);
  settle(turn, Fate::answered);
}

// An answer that nobody waits for: the second one, or one after the timeout.
void Flow::count_stray(std::uint64_t number) noexcept {
  const bool forgotten = next_ - number > fates_.size();
  Fate& fate = fate_of(number);
  if (!forgotten && fate == Fate::answered) {
    ++traffic_.measured.duplicate;
    return;
  }
  ++traffic_.measured.late;
  if (!forgotten) fate = Fate::answered;
}

void Flow::settle(Turn& turn, Fate fate) noexcept {
  turn.waits = false;
  --traffic_.in_flight;
  fate_of(turn.number) = fate;
  if (turn.measured) {
    ++(fate == Fate::answered ? traffic_.measured.answered : traffic_.measured.lost);
  }
  free_again(turn);
}

void Flow::free_again(Turn& turn) noexcept {
  if (turn.waits || turn.send.armed() || lost_) return;
  const bool more = traffic_.schedule == nullptr || held_back_ > 0;
  if (!more || traffic_.stopping || traffic_.closing) {
    free_.push_back(&turn);
    return;
  }
  if (traffic_.schedule != nullptr) --held_back_;
  send_next(turn);
}

void Flow::send_next(Turn& turn) noexcept {
  const std::uint64_t now = traffic_.ring.now_ns();
  turn.number = next_++;
  turn.sent_ns = now;
  turn.due_ns =
      traffic_.schedule != nullptr ? traffic_.schedule->due_ns(number_, turn.number) : now;
  turn.waits = true;
  turn.measured = traffic_.measuring;
  ++traffic_.in_flight;
  if (turn.measured) ++traffic_.measured.sent;
  fate_of(turn.number) = Fate::in_flight;
  const DatagramHeader header{.flow = number_, .turn = turn.index, .number = turn.number};
  std::memcpy(turn.memory.data(), &header, sizeof header);
  const auto content = content_of(turn.number);
  std::memcpy(turn.memory.data() + sizeof header, content.data(), content.size());
  turn.send.start(traffic_.ring, slot(), turn.memory);
}

std::span<const std::byte> Flow::content_of(std::uint64_t number) const noexcept {
  const std::size_t place = PatternBlock::first_place(number_ + number);
  return traffic_.pattern.window(place, traffic_.options.size - sizeof(DatagramHeader));
}

void Flow::fail_content(const LoadFailure& failure) noexcept {
  ++traffic_.content_errors;
  fail(failure);
}

void Flow::fail(const LoadFailure& failure) noexcept {
  if (lost_ || traffic_.closing) return;
  lost_ = true;
  ++traffic_.flows_lost;
  for (Turn& turn : turns_) {
    if (turn.waits) settle(turn, Fate::lost);
  }
  if (traffic_.failure.kind == LoadFailure::Kind::none) traffic_.failure = failure;
}

}  // namespace lab
