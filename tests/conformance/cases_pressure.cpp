#include <fmt/format.h>
#include <poll.h>

#include <memory>
#include <optional>
#include <utility>

#include "tests/conformance/cases.hpp"
#include "tests/conformance/stats_file.hpp"

// Peers that send and do not read: they must cost the server bounded memory and their neighbours
// nothing.

namespace lab {

namespace {

// Several times what a neighbour may have to wait; a full run waits longer for what comes late.
constexpr Milliseconds stall_time = Milliseconds(3000);
constexpr Milliseconds stall_time_quick = Milliseconds(1500);
// Peers of the smallest windows go on trickling for long before all of them stand still; a quick
// run has seen enough after so much of it.
constexpr Milliseconds trickle_time_quick = Milliseconds(5000);
// A send that found no room for this long is blocked, and not only waiting for the server's next
// turn.
constexpr Milliseconds blocked_after = Milliseconds(300);
// Kernel buffers of both ends hold up to some 40 MiB on loopback; a server that takes much more
// keeps it itself.
constexpr std::uint64_t stall_bytes_max = 128U << 20;

// Peers that send whenever there is room and read nothing, driven by a thread of their own.
class StalledPeers {
 public:
  StalledPeers(std::vector<Stream>& peers, bool may_be_reset)
      : task_([this, &peers, may_be_reset](const std::stop_token& stop) {
          run(peers, may_be_reset, stop);
        }) {}

  // True when no peer has found room for blocked_after.
  [[nodiscard]] bool blocked() const { return blocked_; }
  [[nodiscard]] bool failed() const { return failed_; }
  void join() { task_.join(); }

 private:
  void run(std::vector<Stream>& peers, bool may_be_reset, const std::stop_token& stop) {
    try {
      send_until(peers, may_be_reset, stop);
    } catch (...) {
      failed_ = true;
      throw;
    }
  }

  void send_until(std::vector<Stream>& peers, bool may_be_reset, const std::stop_token& stop) {
    std::vector<pollfd> entries(peers.size());
    auto moved_at = Clock::now();
    while (!stop.stop_requested()) {
      for (std::size_t index = 0; index < peers.size(); ++index) {
        const bool gone = peers[index].was_reset();
        entries[index] = {.fd = gone ? -1 : peers[index].fd(), .events = POLLOUT, .revents = 0};
      }
      poll(entries.data(), entries.size(), 20);
      std::size_t moved = 0;
      for (std::size_t index = 0; index < peers.size(); ++index) {
        if (entries[index].fd < 0 || entries[index].revents == 0) continue;
        moved += peers[index].send_some(64 * 1024);
        if (peers[index].was_reset() && !may_be_reset) {
          throw Failure(peers[index].name() + "the server reset a peer that only does not read");
        }
        if (peers[index].sent() > stall_bytes_max) {
          throw Failure(
              fmt::format("{}{} taken from a peer that reads nothing: the server has no bound",
                          peers[index].name(), in_words(stall_bytes_max)));
        }
      }
      const auto now = Clock::now();
      if (moved > 0) moved_at = now;
      blocked_ = now - moved_at > blocked_after;
    }
  }

  std::atomic<bool> blocked_ = false;
  std::atomic<bool> failed_ = false;
  Task task_;
};

// The sum of the fields that say that the server held a peer back.
std::uint64_t held_back(const StatsFile& stats) {
  return stats.read(stats_field::pauses).value_or(0) +
         stats.read(stats_field::receives_one_shot).value_or(0);
}

// Statistics come once per interval, so a few of them may pass before the stall shows.
void demand_held_back(const Context& context, const StatsFile& stats, std::uint64_t before) {
  const Deadline patience(context.scaled(Milliseconds(5000)));
  while (held_back(stats) <= before) {
    if (stats.wait_for_change(patience)) continue;
    throw Failure(fmt::format("the statistics show no pause: {} + {} stayed at {}",
                              stats_field::pauses, stats_field::receives_one_shot, before));
  }
}

struct Waits {
  Clock::duration neighbour{};  // the slowest of `answers`
  Clock::duration newcomer{};   // from its connect
  std::size_t answers = 0;

  [[nodiscard]] double slowest_ms() const { return in_ms(std::max(neighbour, newcomer)); }
};

// A neighbour asks, one question after the other, until the peers have been blocked for so long, or
// until `enough_at_last`; one that comes only then must be served as well.
Waits ask_meanwhile(Context& context, Stream& neighbour, Stream& newcomer,
                    const StalledPeers& stalled, Deadline enough_at_last) {
  Waits waits;
  const Milliseconds enough = context.settings.quick ? stall_time_quick : stall_time;
  context.watch_delays();
  std::optional<Clock::time_point> blocked_at;
  while (!stalled.failed() && enough_at_last.left_ms() > 0) {
    waits.neighbour = std::max(waits.neighbour, ping(context, neighbour));
    ++waits.answers;
    if (blocked_at && Clock::now() - *blocked_at > enough) break;
    if (!blocked_at && stalled.blocked()) blocked_at = Clock::now();
    // A breath between two answers leaves the processor to the server and to the peers.
    std::this_thread::sleep_for(Milliseconds(1));
  }
  const auto begin = Clock::now();
  newcomer = context.connect();
  ping(context, newcomer);
  waits.newcomer = Clock::now() - begin;
  return waits;
}

void judge(const Context& context, const Waits& waits) {
  context.judge_answer(waits.neighbour, "the neighbour");
  context.judge_answer(waits.newcomer, "a newcomer");
}

void stall(Context& context, std::size_t count, const StreamOptions& options) {
  std::unique_ptr<StatsFile> stats;
  // Over TLS the layer above stops receiving, which the statistics do not count.
  if (!context.settings.stats_file.empty() && !context.settings.tls)
    stats = std::make_unique<StatsFile>(context.settings.stats_file);
  const std::uint64_t held_back_before = stats ? held_back(*stats) : 0;

  Stream neighbour = context.connect();
  ping(context, neighbour);
  std::vector<Stream> peers;
  for (std::size_t index = 0; index < count; ++index) peers.push_back(context.connect(options));

  StalledPeers stalled(peers, context.may_shed);
  Stream newcomer = context.connect();
  const Waits waits = ask_meanwhile(context, neighbour, newcomer, stalled, context.deadline);
  stalled.join();
  judge(context, waits);
  if (stats) demand_held_back(context, *stats, held_back_before);

  std::uint64_t bytes = 0;
  for (const Stream& peer : peers) bytes += peer.sent();
  for (Stream& peer : peers) {
    if (!peer.was_reset()) peer.finish();
  }
  const std::size_t reset = receive_all_to_end(context, peers);
  neighbour.finish_and_check(context.deadline);
  newcomer.finish_and_check(context.deadline);
  context.seen = fmt::format("{} stalled after {}, neighbour's slowest of {} answers {:.0f} ms, {}",
                             count, in_words(bytes), waits.answers, waits.slowest_ms(),
                             reset > 0 ? fmt::format("{} reset", reset) : "then all bytes came");
  context.seen += stats                  ? ", statistics show it"
                  : context.settings.tls ? ", statistics not looked at (they count no pause of TLS)"
                                         : ", statistics not looked at (no --stats-file)";
}

void stalled_peer(Context& context) { stall(context, 1, {}); }

void stalled_hundred(Context& context) {
  // Small buffers and a network's segments: a hundred times loopback's would be gigabytes of kernel
  // memory.
  stall(context, 100,
        {.send_buffer_size = 64 << 10, .receive_buffer_size = 64 << 10, .segment_size_max = 1400});
}

// The smallest windows that Linux makes. A socket that has room takes little then, and is charged
// for several times as much: an answer need not fit, and whoever holds a buffer for it keeps it.
// First everybody is let in, so that the server waits for data of each when all of it comes at
// once.
void tiny_windows(Context& context) {
  const std::size_t count = context.settings.quick ? 200 : 1000;
  Stream neighbour = context.connect();
  ping(context, neighbour);
  std::vector<Stream> peers;
  for (std::size_t index = 0; index < count; ++index) {
    peers.push_back(context.connect({.receive_buffer_size = 1152, .segment_size_max = 88}));
    if (index % 32 == 31) ping(context, neighbour);
  }
  // Who holds buffers and does not read may be reset when there are no others.
  StalledPeers stalled(peers, true);
  Stream newcomer = context.connect();
  const Deadline seen_enough =
      context.settings.quick ? context.deadline.or_sooner(trickle_time_quick) : context.deadline;
  const Waits waits = ask_meanwhile(context, neighbour, newcomer, stalled, seen_enough);
  stalled.join();
  judge(context, waits);
  std::size_t reset = 0;
  for (Stream& peer : peers) {
    if (peer.was_reset()) ++reset;
    peer.close_with_reset();
  }
  neighbour.finish_and_check(context.deadline);
  newcomer.finish_and_check(context.deadline);
  context.seen = fmt::format("{} stalled, neighbour's slowest of {} answers {:.0f} ms, {} reset",
                             count, waits.answers, waits.slowest_ms(), reset);
}

void slow_reader(Context& context) {
  const std::uint64_t bytes = context.settings.quick ? 2 << 20 : 16 << 20;
  const auto slow_time = Milliseconds(context.settings.quick ? 800 : 2000);
  // With loopback's segments the window would open in steps of 64 KiB, and the server would see a
  // peer that stands still for long and then jumps. These make it slow and steady.
  Stream stream = context.connect({.receive_buffer_size = 64 << 10, .segment_size_max = 1400});
  Clock::duration longest{};
  const auto begin = Clock::now();
  auto turn = begin;
  while (Clock::now() - begin < slow_time) {
    stream.send_some(static_cast<std::size_t>(bytes - stream.sent()));
    std::size_t left = 4096;
    while (left > 0) {
      const std::size_t count = stream.receive_some(left);
      if (count == 0) break;
      left -= count;
    }
    if (stream.was_reset() || stream.ended()) stream.receive(1, context.deadline);
    turn += Milliseconds(10);
    std::this_thread::sleep_until(turn);
  }
  const std::uint64_t slowly = stream.received();
  std::vector<Flow> flows;
  flows.push_back({.stream = std::move(stream), .bytes = bytes, .depth = 0});
  longest = run_flows(context, flows);
  flows.front().stream.finish_and_check(context.deadline);
  context.seen =
      fmt::format("{} read 4 KiB per 10 ms, the rest of {} at once, longest silence {:.0f} ms",
                  in_words(slowly), in_words(bytes), in_ms(longest));
}

void late_reader(Context& context) {
  std::vector<Stream> streams;
  for (int count = 0; count < 8; ++count) {
    streams.push_back(context.connect());
    streams.back().send(64 << 10, context.deadline);
  }
  // The case itself: for a second nobody reads. There is no event that says "it has waited".
  std::this_thread::sleep_for(Milliseconds(1000));
  for (Stream& stream : streams) {
    stream.receive(64 << 10, context.deadline.or_sooner(context.silence()));
    stream.finish_and_check(context.deadline);
  }
  context.seen = "8 connections sent 64 KiB, read 1 s later";
}

}  // namespace

std::vector<Case> pressure_cases() {
  using std::chrono::seconds;
  return {
      {"stalled-peer",
       "a peer sends until it blocks and reads nothing for 3 s; a neighbour waits at most 500 ms",
       seconds(60), stalled_peer},
      {"stalled-hundred", "a hundred such peers; a neighbour waits at most 500 ms", seconds(120),
       stalled_hundred},
      {"tiny-windows",
       "a thousand of them with the smallest windows; a neighbour waits at most 500 ms",
       seconds(120), tiny_windows},
      {"slow-reader", "4 KiB every 10 ms, later all at once", seconds(60), slow_reader},
      {"late-reader", "64 KiB sent, read a second later", seconds(60), late_reader},
  };
}

}  // namespace lab
