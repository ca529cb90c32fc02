#include "tests/conformance/context.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>

#include "tests/conformance/server_processes.hpp"

// What the cases share.

namespace lab {

namespace {

constexpr Milliseconds own_delay_max = Milliseconds(100);
std::atomic<std::uint64_t> connections_made = 0;

std::size_t some(Random& random, std::size_t size_max, std::uint64_t all) {
  const std::size_t bound = static_cast<std::size_t>(std::min<std::uint64_t>(all, 1U << 20));
  if (size_max == 0 || bound == 0) return bound;
  return std::min(bound, random.size(size_max));
}

// How many bytes the flow may send now without passing its depth.
std::uint64_t allowance(const Flow& flow) {
  if (flow.depth == 0) return flow.bytes - flow.stream.sent();
  const std::uint64_t answered = flow.stream.received() / flow.message_size;
  const std::uint64_t bound = std::min(flow.bytes, (answered + flow.depth) * flow.message_size);
  return bound - flow.stream.sent();
}

}  // namespace

DelayMeter::DelayMeter() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

DelayMeter::~DelayMeter() = default;

void DelayMeter::run(const std::stop_token& stop) {
  constexpr Milliseconds step = Milliseconds(10);
  auto due = Clock::now() + step;
  while (!stop.stop_requested()) {
    std::this_thread::sleep_until(due);
    const auto now = Clock::now();
    const std::int64_t late_ms = std::chrono::duration_cast<Milliseconds>(now - due).count();
    if (late_ms > longest_ms_.load()) longest_ms_ = late_ms;
    due = now + step;
  }
}

Stream Context::connect(const StreamOptions& options) const {
  const Pattern pattern(settings.seed, connections_made.fetch_add(1));
  StreamOptions all = options;
  all.tls = settings.tls;
  return {settings.server, pattern, all, deadline};
}

Clock::duration Context::scaled(Clock::duration duration) const {
  return std::chrono::duration_cast<Clock::duration>(duration * settings.time_scale);
}

void Context::watch_delays() {
  delay.reset();
  server_waited_before_ = waited_for_processor(settings.server_pids);
}

void Context::judge_answer(Clock::duration longest, const std::string& whose) const {
  if (longest <= answer_limit()) return;
  const std::string text = fmt::format("{} waited {:.0f} ms for an answer, the limit is {:.0f} ms",
                                       whose, in_ms(longest), in_ms(answer_limit()));
  if (delay.longest() > own_delay_max) {
    throw MachineBusy(fmt::format("{}; but this client itself was kept from running for {} ms",
                                  text, delay.longest().count()));
  }
  const Milliseconds server_waited =
      waited_for_processor(settings.server_pids) - server_waited_before_;
  if (server_waited > longest - answer_limit()) {
    throw MachineBusy(fmt::format("{}; but the server waited {} ms for a processor meanwhile", text,
                                  server_waited.count()));
  }
  throw Failure(text);
}

Clock::duration run_flows(Context& context, std::vector<Flow>& flows) {
  std::vector<pollfd> entries(flows.size());
  std::size_t unfinished = flows.size();
  auto moved_at = Clock::now();
  Clock::duration longest{};
  while (unfinished > 0) {
    for (std::size_t index = 0; index < flows.size(); ++index) {
      const Flow& flow = flows[index];
      const bool done = flow.stream.received() == flow.bytes;
      entries[index] = {.fd = done ? -1 : flow.stream.fd(), .events = POLLIN, .revents = 0};
      if (!done && allowance(flow) > 0) entries[index].events |= POLLOUT;
    }
    const Deadline patience = context.deadline.or_sooner(context.silence());
    const auto stream_of = [&](std::size_t index) -> const Stream& { return flows[index].stream; };
    const int ready = poll_streams(entries, stream_of, patience.left_ms());
    if (ready < 0 && errno != EINTR) throw Failure("client: poll failed");
    const bool tcp_waits = std::any_of(flows.begin(), flows.end(), [](const Flow& flow) {
      return flow.stream.received() < flow.bytes && flow.stream.retransmits();
    });
    if ((ready == 0 && !tcp_waits) || context.deadline.passed()) {
      for (const Flow& flow : flows) {
        if (flow.stream.received() == flow.bytes) continue;
        throw Failure(fmt::format("{}{}: {} bytes sent, {} received, {} to do", flow.stream.name(),
                                  ready == 0 ? "nothing moves any more" : "the deadline has passed",
                                  flow.stream.sent(), flow.stream.received(), flow.bytes));
      }
    }
    const auto now = Clock::now();
    longest = std::max(longest, now - moved_at);
    moved_at = now;

    for (std::size_t index = 0; index < flows.size(); ++index) {
      if (entries[index].fd < 0 || entries[index].revents == 0) continue;
      Flow& flow = flows[index];
      if ((entries[index].revents & POLLOUT) != 0) {
        flow.stream.send_some(some(context.random, flow.send_size_max, allowance(flow)));
      }
      if ((entries[index].revents & ~POLLOUT) == 0) continue;
      const std::uint64_t due = flow.bytes - flow.stream.received();
      flow.stream.receive_some(some(context.random, flow.receive_size_max, due));
      if (flow.stream.was_reset() && context.may_shed) {
        throw TakenForIdle(fmt::format("{}reset after {} bytes, though it reads",
                                       flow.stream.name(), flow.stream.received()));
      }
      // receive() of one byte says what ended the stream, in the same words as everywhere.
      if (flow.stream.ended() || flow.stream.was_reset()) flow.stream.receive(1, context.deadline);
      if (flow.stream.received() == flow.bytes) --unfinished;
    }
  }
  return longest;
}

std::size_t receive_all_to_end(Context& context, std::vector<Stream>& streams) {
  std::size_t reset = 0;
  std::vector<pollfd> entries(streams.size());
  for (;;) {
    std::size_t unfinished = 0;
    for (std::size_t index = 0; index < streams.size(); ++index) {
      const Stream& stream = streams[index];
      const bool over = stream.ended() || stream.was_reset();
      entries[index] = {.fd = over ? -1 : stream.fd(), .events = POLLIN, .revents = 0};
      unfinished += over ? 0 : 1;
    }
    if (unfinished == 0) break;
    const Deadline patience = context.deadline.or_sooner(context.silence());
    const auto stream_of = [&](std::size_t index) -> const Stream& { return streams[index]; };
    if (poll_streams(entries, stream_of, patience.left_ms()) == 0 || context.deadline.passed()) {
      throw Failure(fmt::format("{} of {} connections wait for the rest in vain", unfinished,
                                streams.size()));
    }
    for (std::size_t index = 0; index < streams.size(); ++index) {
      if (entries[index].fd >= 0 && entries[index].revents != 0)
        streams[index].receive_some(256 * 1024);
    }
  }
  for (Stream& stream : streams) {
    if (stream.was_reset() && context.may_shed) {
      ++reset;
    } else {
      // Says what is missing, in the same words as everywhere.
      stream.receive_to_end(context.deadline);
    }
  }
  return reset;
}

Clock::duration ping(const Context& context, Stream& stream, std::size_t size) {
  const auto begin = Clock::now();
  const Deadline patience = context.deadline.or_sooner(context.silence());
  stream.send(size, patience);
  stream.receive(size, patience);
  return Clock::now() - begin;
}

void run_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::vector<std::unique_ptr<Task>> tasks;
  tasks.reserve(count);
  for (std::size_t index = 0; index < count; ++index) {
    tasks.push_back(
        std::make_unique<Task>([&body, index](const std::stop_token&) { body(index); }));
  }
  for (const auto& task : tasks) task->join();
}

Task::Task(std::function<void(const std::stop_token&)> body)
    : thread_([this, body = std::move(body)](const std::stop_token& stop) {
        try {
          body(stop);
        } catch (...) {
          failure_ = std::current_exception();
        }
      }) {}

void Task::join() {
  thread_.request_stop();
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
}

std::string in_words(std::uint64_t bytes) {
  if (bytes >= (1U << 20) && bytes % (1U << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  if (bytes >= (10U << 20))
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  if (bytes >= (1U << 10) && bytes % (1U << 10) == 0) return fmt::format("{} KiB", bytes >> 10);
  if (bytes >= (10U << 10))
    return fmt::format("{:.0f} KiB", static_cast<double>(bytes) / (1 << 10));
  return fmt::format("{} B", bytes);
}

double in_ms(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace lab
