#include "05-performance/ringload/load.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "05-performance/bench/say.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/ringload/stop.hpp"

namespace lab {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t tick_ns = 20'000'000;     // how late a quiet loop looks at the clock
constexpr unsigned connects_in_flight_max = 256;  // below the backlog of any server
constexpr std::size_t looks_max = 32;             // receives of one round of --spin
constexpr unsigned empty_rounds_max = 100;        // then others than those in front are looked at
constexpr std::size_t buffer_memory_max = std::size_t{8} << 20;

RingOptions ring_options(const LoadOptions& options) {
  // A receive and a send per connection may be queued in one round.
  return RingPreset::load_generator(2 * std::uint64_t{options.connections});
}

// Buffers that a whole answer fits into, where that is not large, and few enough to stay in cache.
BufferRingOptions buffer_ring_options(const LoadOptions& options) {
  constexpr std::size_t size_max = 65536;
  const std::uint64_t in_flight = std::uint64_t{options.size} * options.depth;
  const std::size_t size = options.stream
                               ? size_max
                               : std::bit_ceil(std::clamp<std::uint64_t>(in_flight, 256, size_max));
  auto count = std::clamp(std::bit_ceil(std::size_t{2} * options.connections), std::size_t{64},
                          std::size_t{4096});
  while (count > 64 && count * size > buffer_memory_max) count /= 2;
  return {.count = static_cast<unsigned>(count), .size = static_cast<unsigned>(size)};
}

std::uint64_t memory_of(const LoadOptions& options) {
  const std::uint64_t each = sizeof(Connection) + sizeof(std::uint64_t) * options.depth;
  return options.connections * (options.stream || options.rate ? sizeof(Connection) : each);
}

}  // namespace

Load::Load(const LoadOptions& options, Talk& talk)
    : options_(prepare_process(options, memory_of(options))),
      ring_(ring_options(options)),
      table_(ring_, options.connections),
      buffer_options_(buffer_ring_options(options)),
      memory_(std::size_t{buffer_options_.count} * buffer_options_.size),
      buffers_(ring_, buffer_options_, memory_.memory()),
      traffic_{.ring = ring_, .buffers = buffers_, .talk = talk, .options = options_} {
  constexpr std::size_t copied_for_nothing_bytes = 4096;
  traffic_.discard = !options_.check && (options_.stream || options_.size * options_.depth >=
                                                                copied_for_nothing_bytes);
  const bool closed_loop = !options_.stream && !options_.rate;
  if (closed_loop) asked_at_ns_.resize(std::size_t{options_.connections} * options_.depth);
  for (unsigned number = 0; number < options_.connections; ++number) {
    connections_.emplace_back(
        traffic_, number,
        closed_loop ? asked_at_ns_.data() + std::size_t{number} * options_.depth : nullptr);
  }
  if (options_.spin) {
    for (Connection& connection : connections_) circle_.push_back(&connection);
    look_memory_.resize(looks_max * buffer_options_.size);
  }
  progress_ = !options_.quiet && isatty(STDERR_FILENO) == 1;
}

Load::~Load() {
  if (progress_) show_line("");
  traffic_.closing = true;
  cancel_.start_all(ring_);
  while (ring_.armed_count() != 0) ring_.run_once();
}

Report Load::run() {
  server_ = find_tcp_server(options_);
  open_sockets();
  tick_.start(ring_, tick_ns);
  connect_all();
  begin_load();

  const Interval interval = measure(
      options_, traffic_,
      [this](std::uint64_t end_ns, std::uint64_t replies_end) { run_until(end_ns, replies_end); },
      [this] { return mark(); });
  traffic_.stopping = true;
  drain();
  return report(interval);
}

// Each socket moves into the ring's file table at once, so a run needs as many slots as it has
// connections but no more than one descriptor of the process.
void Load::open_sockets() {
  for (unsigned number = 0; number < options_.connections; ++number) {
    // A reset at the end: everything was answered by then, and no port waits in TIME_WAIT, of which
    // a benchmark would leave tens of thousands behind.
    put_into_slot(ring_, number, open_tcp_socket(options_, server_.family(), Ending::reset));
  }
}

void Load::connect_all() {
  const std::uint64_t patience = patience_ns(options_);
  std::uint64_t deadline_ns = ring_.now_ns() + patience;
  unsigned begun = 0;
  unsigned ended_before = 0;
  while (traffic_.connected < options_.connections) {
    const unsigned ended = traffic_.connected + traffic_.connects_failed;
    if (ended != ended_before) deadline_ns = ring_.now_ns() + patience;
    ended_before = ended;
    if (stop_requested) throw std::runtime_error("nothing was measured yet");
    if (traffic_.connects_failed > 0) {
      const int error = traffic_.failure.error;
      throw std::runtime_error(fmt::format("connection {} of {} failed: {}",
                                           traffic_.failure.connection + 1, options_.connections,
                                           connect_error_text(error)));
    }
    if (ring_.now_ns() > deadline_ns) {
      throw std::runtime_error(
          fmt::format("connecting timed out: {} of {} connections came in, then none for {:g} s "
                      "(--patience). Is the server's connection limit below that?",
                      traffic_.connected, options_.connections, options_.patience_s));
    }
    while (begun < options_.connections && begun - ended < connects_in_flight_max) {
      connections_[begun++].connect(server_.storage, server_.size);
    }
    ring_.run_once();
  }
}

void Load::begin_load() {
  shown_at_ns_ = ring_.now_ns();
  if (options_.rate) {
    schedule_.emplace(ring_.now_ns(), *options_.rate, options_.connections);
    traffic_.schedule = &*schedule_;
  }
  for (Connection& connection : connections_) connection.start();
  if (schedule_) add_due(ring_.now_ns());
}

unsigned Load::run_once() noexcept { return options_.spin ? look_round() : ring_.run_once(); }

// Looks at the connections whose answers are due next, with one system call for all of them and for
// the sends that the round before led to. Servers answer in about the order in which they are
// asked: who was asked first stands in front, who has answered goes to the end of the circle.
unsigned Load::look_round() noexcept {
  const std::size_t size = circle_.size();
  const std::size_t looks = std::min(size, looks_max);
  const auto at = [&](std::size_t place) -> Connection*& {
    place += front_;
    return circle_[place < size ? place : place - size];
  };
  const std::span<std::byte> memory(look_memory_);
  for (std::size_t place = 0; place < looks; ++place) {
    if (at(place)->waits()) {
      at(place)->look(memory.subspan(place * buffer_options_.size, buffer_options_.size));
    }
  }
  const std::uint64_t found_before = traffic_.looks_found;
  ring_.run_once(0);
  const auto found = static_cast<unsigned>(traffic_.looks_found - found_before);

  // Those in front may be the ones that the server has forgotten; the others are not to wait for
  // them.
  empty_rounds_ = found == 0 ? empty_rounds_ + 1 : 0;
  const bool pass_all = empty_rounds_ > empty_rounds_max;
  if (pass_all) empty_rounds_ = 0;
  std::array<Connection*, looks_max> still_due;
  std::size_t still = 0;
  std::size_t passed = 0;
  for (std::size_t place = 0; place < looks; ++place) {
    Connection* connection = at(place);
    if (pass_all || connection->found() || !connection->waits()) {
      at(passed++) = connection;
    } else {
      still_due[still++] = connection;
    }
  }
  for (std::size_t index = 0; index < still; ++index) at(passed + index) = still_due[index];
  front_ = (front_ + passed) % size;
  return found;
}

void Load::run_until(std::uint64_t end_ns, std::uint64_t replies_end) noexcept {
  std::uint64_t now = ring_.now_ns();
  while (now < end_ns && traffic_.replies < replies_end && traffic_.lost < options_.connections &&
         !stop_requested) {
    const std::uint64_t before = now;
    const unsigned handled = run_once();
    now = ring_.now_ns();
    if (handled == 0) idle_ns_ += now - before;
    if (schedule_) add_due(now);
    // A run with an end of its own measures a pause of the server, however long.
    if (given_up() && end_ns == endless) return;
  }
}

// What was asked is to be answered: a server that swallows the last messages is found here.
void Load::drain() noexcept {
  while (traffic_.bytes_unanswered > 0 && !given_up()) run_once();
  for (Connection& connection : connections_) connection.expire();
}

bool Load::given_up() noexcept {
  return silence_.too_long(ring_.now_ns(), traffic_.bytes_in, traffic_.bytes_unanswered > 0);
}

void Load::add_due(std::uint64_t now_ns) noexcept {
  std::uint64_t due_ns = schedule_->due_ns(next_due_);
  for (; due_ns <= now_ns; due_ns = schedule_->due_ns(++next_due_)) {
    connections_[static_cast<std::size_t>(schedule_->connection_of(next_due_))].add_due();
  }
  if (!due_timer_.armed()) due_timer_.start(ring_, due_ns - now_ns);
}

Mark Load::mark() { return mark_of(meter_.read(idle_ns_), traffic_); }

Report Load::report(const Interval& interval) const {
  Report report = report_of(meter_, interval, traffic_);
  for (const Connection& connection : connections_) report.held_back += connection.held_back();
  report.lost = traffic_.lost;
  return report;
}

void Load::show_progress() noexcept {
  const std::uint64_t now = ring_.now_ns();
  if (now - shown_at_ns_ < second_ns / 2) return;
  const double seconds = static_cast<double>(now - shown_at_ns_) * 1e-9;
  const double rate = static_cast<double>(traffic_.replies - shown_replies_) / seconds;
  const char* phase = traffic_.measuring  ? "measuring"
                      : traffic_.stopping ? "ending"
                                          : "warming up";
  std::string line = fmt::format("{}: {:.0f} requests/s, {} of {} connections", phase, rate,
                                 options_.connections - traffic_.lost, options_.connections);
  if (traffic_.latency.count() > 0) {
    line +=
        fmt::format(", p99 {:.0f} us", static_cast<double>(traffic_.latency.percentile(99)) / 1e3);
  }
  show_line(line);
  shown_at_ns_ = now;
  shown_replies_ = traffic_.replies;
}

void Load::on_tick(Cqe) noexcept {
  if (traffic_.closing) return;
  if (progress_) show_progress();
  tick_.start(ring_, tick_ns);
}

// The loop looks at the clock after every round; the timer only sees to it that there is one.
void Load::on_due(Cqe) noexcept {}

void Load::on_cancel(Cqe) noexcept {}

}  // namespace lab
