#include "05-performance/ringload/datagrams.hpp"

#include <linux/sock_diag.h>

#include <algorithm>
#include <array>
#include <bit>

#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/ringload/stop.hpp"

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

namespace lab {

namespace {

constexpr unsigned expiries_per_timeout = 16;  // how exactly a timeout is kept
constexpr std::uint64_t tick_min_ns = 100'000;
constexpr std::uint64_t tick_max_ns =
    100'000'000;  // a run without answers ends so late at the most

std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

RingOptions ring_options(const LoadOptions& options) {
  const std::uint64_t sends = std::uint64_t{options.connections} * options.depth;
  return RingPreset::load_generator(options.connections + sends);
}

// A buffer holds one datagram; one byte more, so that a longer answer is seen to be longer.
BufferRingOptions buffer_ring_options(const LoadOptions& options) {
  constexpr std::size_t memory_max = std::size_t{16} << 20;
  const std::size_t size = std::bit_ceil(options.size + 1);
  std::uint64_t count = std::bit_ceil(std::uint64_t{options.connections} * options.depth);
  count = std::clamp<std::uint64_t>(count, 64, 4096);
  while (count > 64 && count * size > memory_max) count /= 2;
  return {.count = static_cast<unsigned>(count), .size = static_cast<unsigned>(size)};
}

}  // namespace

Datagrams::Datagrams(const LoadOptions& options)
    : options_(prepare_process(options, Flow::memory_of(options) * options.connections)),
      server_(find_udp_server(options)),
      ring_(ring_options(options)),
      table_(ring_, options.connections),
      buffer_options_(buffer_ring_options(options)),
      buffer_memory_(std::size_t{buffer_options_.count} * buffer_options_.size),
      buffers_(ring_, buffer_options_, buffer_memory_.memory()),
      pattern_(options.size),
      traffic_{.ring = ring_,
               .buffers = buffers_,
               .pattern = pattern_,
               .options = options_,
               .timeout_ns = to_ns(options.timeout_ms / 1000)},
      send_memory_(options.size * options.depth * options.connections),
      tick_ns_(std::clamp(traffic_.timeout_ns / expiries_per_timeout, tick_min_ns, tick_max_ns)) {
  const std::size_t each = options_.size * options_.depth;
  for (unsigned number = 0; number < options_.connections; ++number) {
    flows_.emplace_back(traffic_, number, send_memory_.memory().subspan(number * each, each));
    sockets_.push_back(open_udp_socket(options_, server_));
    put_into_slot(ring_, number, sockets_.back());
  }
}

Datagrams::~Datagrams() {
  traffic_.closing = true;
  if (ring_.armed_count() == 0) return;
  cancel_.start_all(ring_);
  while (ring_.armed_count() != 0) ring_.run_once();
}

Report Datagrams::run() {
  tick_.start(ring_, tick_ns_);
  ring_.run_once(0);
  if (options_.rate) {
    schedule_.emplace(ring_.now_ns(), *options_.rate, options_.connections);
    traffic_.schedule = &*schedule_;
  }
  for (Flow& flow : flows_) flow.start();
  const Interval interval = measure(
      options_, traffic_, [this](std::uint64_t end_ns, std::uint64_t) { run_until(end_ns); },
      [this] { return mark_of(meter_.read(), traffic_); });
  drain();

  Report report = report_of(meter_, interval, traffic_);
  for (const Flow& flow : flows_) report.held_back += flow.held_back();
  report.datagrams = traffic_.measured;
  report.datagrams->dropped_here = dropped_by_our_sockets();
  report.lost = traffic_.flows_lost;
  // Losses are a result. That nobody answers is none.
  const DatagramReport& measured = *report.datagrams;
  if (report.requests + measured.answered + measured.late == 0 && report.lost == 0) {
    report.lost = options_.connections;
    report.failure.kind = LoadFailure::Kind::no_datagram;
  }
  return report;
}

void Datagrams::run_until(std::uint64_t end_ns) noexcept {
  while (ring_.now_ns() < end_ns && traffic_.flows_lost < options_.connections && !stop_requested) {
    if (schedule_) add_due(ring_.now_ns());  // first: nothing else may be there to wait for
    ring_.run_once();
  }
}

// What is in flight is answered or times out: then sent == answered + lost.
void Datagrams::drain() noexcept {
  traffic_.stopping = true;
  const std::uint64_t late_ns = ring_.now_ns() + 2 * traffic_.timeout_ns + 2 * tick_ns_;
  while (traffic_.in_flight > 0 && ring_.now_ns() < late_ns) ring_.run_once();
}

void Datagrams::add_due(std::uint64_t now_ns) noexcept {
  std::uint64_t due_ns = schedule_->due_ns(next_due_);
  for (; due_ns <= now_ns; due_ns = schedule_->due_ns(++next_due_)) {
    flows_[static_cast<std::size_t>(schedule_->connection_of(next_due_))].add_due();
  }
  if (!due_timer_.armed()) due_timer_.start(ring_, due_ns - now_ns);
}

// Source: SO_MEMINFO, Linux 4.12.
std::uint64_t Datagrams::dropped_by_our_sockets() const {
  std::uint64_t sum = 0;
  for (const Fd& fd : sockets_) {
    std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
    socklen_t size = sizeof values;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_MEMINFO, values.data(), &size) == 0) {
      sum += values[SK_MEMINFO_DROPS];
    }
  }
  return sum;
}

void Datagrams::on_tick(Cqe) noexcept {
  if (traffic_.closing) return;
  for (Flow& flow : flows_) flow.expire(ring_.now_ns());
  tick_.start(ring_, tick_ns_);
}

// The loop looks at the clock after every round; the timer only sees to it that there is one.
void Datagrams::on_due(Cqe) noexcept {}

void Datagrams::on_cancel(Cqe) noexcept {}

}  // namespace lab
