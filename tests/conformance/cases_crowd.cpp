#include <fmt/format.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "tests/conformance/cases.hpp"
#include "tests/conformance/server_processes.hpp"

// Many connections: one after the other, all at once, and more than the server has room for.

namespace lab {

namespace {

// This client's own files, and some to spare for those of a case that open later.
constexpr std::size_t descriptor_reserve = 256;
constexpr std::size_t message_size = 16;
// Each source address has 28,000 ephemeral ports, some of them still in TIME_WAIT.
constexpr std::size_t connections_per_source = 4000;

StreamOptions from_source(std::size_t index) {
  return {.source = static_cast<std::uint8_t>(2 + index / connections_per_source % 200)};
}

// Moves the calling thread from one CPU to the next, so that connections come from every CPU as
// they do from a network: a server that steers by CPU would otherwise get all of them in one
// worker.
class CpuTour {
 public:
  CpuTour() { sched_getaffinity(0, sizeof home_, &home_); }
  CpuTour(const CpuTour&) = delete;
  CpuTour& operator=(const CpuTour&) = delete;
  ~CpuTour() { sched_setaffinity(0, sizeof home_, &home_); }

  void next() {
    do {
      cpu_ = (cpu_ + 1) % CPU_SETSIZE;
    } while (!CPU_ISSET(cpu_, &home_));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu_, &one);
    sched_setaffinity(0, sizeof one, &one);
  }

 private:
  cpu_set_t home_ = {};
  std::size_t cpu_ = 0;
};

// Connections that wait for one answer each, and an epoll that says whose has come.
class Crowd {
 public:
  Crowd() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw Failure("client: epoll_create1 failed");
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() { ::close(epoll_); }

  void add(Stream stream) {
    epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = streams_.size()}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, stream.fd(), &event) != 0)
      throw Failure("client: epoll_ctl failed");
    streams_.push_back(std::move(stream));
  }

  void ask(std::size_t index, Deadline deadline) {
    streams_[index].send(message_size, deadline);
    ++asked_;
  }

  // Takes the answers that are there, waiting for the first until the deadline. Returns how many
  // became whole.
  std::size_t take_answers(Deadline deadline) {
    std::size_t whole = 0;
    do {
      whole = take_ready(deadline);
    } while (whole == 0 && !deadline.passed());
    answered_ += whole;
    return whole;
  }

  // Takes answers until nothing is due.
  void take_all(const Context& context) {
    while (answered_ < asked_) {
      if (take_answers(context.deadline.or_sooner(context.silence())) > 0) continue;
      if (context.deadline.passed() || answered_ < asked_) {
        throw Failure(fmt::format("{} of {} connections wait for an answer in vain",
                                  asked_ - answered_, streams_.size()));
      }
    }
  }

  void close(std::size_t index, bool with_reset) {
    if (with_reset) {
      streams_[index].close_with_reset();
    } else {
      streams_[index].close();
    }
  }

  [[nodiscard]] Stream& operator[](std::size_t index) { return streams_[index]; }
  [[nodiscard]] std::size_t size() const { return streams_.size(); }
  [[nodiscard]] std::size_t answered() const { return answered_; }
  [[nodiscard]] std::size_t asked() const { return asked_; }

 private:
  std::size_t take_ready(Deadline deadline) {
    std::array<epoll_event, 256> events;
    const int ready =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), deadline.left_ms());
    std::size_t whole = 0;
    for (int index = 0; index < ready; ++index) {
      Stream& stream = streams_[events[static_cast<std::size_t>(index)].data.u64];
      if (stream.fd() < 0) continue;
      const bool due = stream.received() < stream.sent();
      stream.receive_some(message_size);
      // Nobody here ends a connection, so a FIN or a reset is the server's doing.
      if (stream.ended() || stream.was_reset()) stream.receive(1, deadline);
      if (due && stream.received() == stream.sent()) ++whole;  // a session ticket is no answer
    }
    return whole;
  }

  int epoll_;
  std::vector<Stream> streams_;
  std::size_t asked_ = 0;
  std::size_t answered_ = 0;
};

void churn(Context& context) {
  constexpr std::size_t threads = 8;
  const std::size_t each = context.settings.quick ? 250 : 2500;
  run_threads(threads, [&](std::size_t thread) {
    Random random(context.settings.seed + thread);
    for (std::size_t count = 0; count < each; ++count) {
      Stream stream = context.connect({.source = static_cast<std::uint8_t>(2 + thread)});
      ping(context, stream, random.size(64));
      // An orderly end leaves a TIME_WAIT here for a minute; 20,000 of them would use up the ports.
      if (count % 10 == 0) {
        stream.finish_and_check(context.deadline.or_sooner(context.silence()));
      } else {
        stream.close_with_reset();
      }
    }
  });
  context.seen = fmt::format("{} connections, a ping each, 8 at a time", threads * each);
}

void idle(Context& context) {
  const Settings& settings = context.settings;
  const std::size_t own_limit = descriptors_available(descriptor_reserve);
  std::size_t count = settings.idle_connections;
  std::string bound = "as asked";
  if (count == 0) {
    count = own_limit;
    bound = "the client's limit of open files";
    // Workers fill unevenly when connections are spread by hash, so some room is left in each.
    const std::size_t room = settings.server_workers == 1
                                 ? settings.server_limit
                                 : settings.server_limit - settings.server_limit / 8;
    if (room != 0 && room < count) {
      count = room;
      bound = "--server-limit";
    }
    if (settings.quick && count > 1000) {
      count = 1000;
      bound = "--quick";
    }
  }
  if (count > own_limit)
    throw Skip(fmt::format("{} connections are more than this client may open", count));

  Crowd crowd;
  CpuTour tour;
  for (std::size_t index = 0; index < count; ++index) {
    if (index % 32 == 0) tour.next();
    crowd.add(context.connect(from_source(index)));
    // Answers now and then keep the client from running ahead of the server's backlog.
    if (index % 32 == 31) {
      crowd.ask(index, context.deadline);
      crowd.take_all(context);
    }
  }
  Clock::duration longest{};
  context.watch_delays();
  const auto begin = Clock::now();
  const std::size_t few = std::min<std::size_t>(16, count);
  std::size_t rounds = 0;
  while (Clock::now() - begin < Milliseconds(1000)) {
    for (std::size_t index = 0; index < few; ++index) {
      longest = std::max(longest, ping(context, crowd[index * (count / few)], message_size));
    }
    ++rounds;
  }
  context.judge_answer(longest, "one of the busy few");
  // At last everybody, to see that none of the idle was lost.
  for (std::size_t index = 0; index < count; ++index) {
    crowd.ask(index, context.deadline);
    if (index % 512 == 511) crowd.take_all(context);
  }
  crowd.take_all(context);
  for (std::size_t index = 0; index < count; ++index) crowd.close(index, index % 8 != 0);
  context.seen =
      fmt::format("{} connections ({}), {} answers among them, slowest {:.0f} ms, then each one's",
                  count, bound, rounds * few, in_ms(longest));
}

// The share of one CPU that the server uses over a second, in percent.
double cpu_percent(const std::vector<int>& pids) {
  const std::int64_t before = cpu_ticks(pids);
  const auto begin = Clock::now();
  std::this_thread::sleep_for(Milliseconds(1000));
  const std::int64_t used = cpu_ticks(pids) - before;
  const double seconds = in_ms(Clock::now() - begin) / 1000;
  return 100.0 * static_cast<double>(used) / static_cast<double>(sysconf(_SC_CLK_TCK)) / seconds;
}

void flood(Context& context) {
  constexpr std::size_t beyond = 64;
  constexpr double cpu_percent_max = 5;
  const Settings& settings = context.settings;
  if (settings.server_limit == 0) throw Skip("the server's limit is not known (no --server-limit)");
  if (settings.tls) {
    throw Skip("over TLS nobody asks before his handshake, and those who wait outside have none");
  }
  const std::size_t count = settings.server_limit + beyond;
  if (count > descriptors_available(descriptor_reserve)) {
    throw Skip(fmt::format("{} connections are more than this client may open", count));
  }

  // All ask as they come. Those inside are answered; the rest wait.
  Crowd crowd;
  {
    CpuTour tour;
    for (std::size_t index = 0; index < count; ++index) {
      if (index % 32 == 0) tour.next();
      crowd.add(context.connect(from_source(index)));
      crowd.ask(index, context.deadline);
      // Waiting for an answer keeps the client from running ahead of the backlog; near the limit
      // none may come.
      if (index % 64 == 63) {
        while (crowd.asked() - crowd.answered() > 256) {
          if (crowd.take_answers(Deadline(Milliseconds(200))) == 0) break;
        }
      }
    }
  }
  while (crowd.take_answers(Deadline(context.scaled(Milliseconds(500)))) > 0) {
  }
  const std::size_t inside = crowd.answered();
  const std::size_t waiting = count - inside;
  if (inside > settings.server_limit) {
    throw Failure(
        fmt::format("{} connections are served, the limit is {}", inside, settings.server_limit));
  }
  if (inside < settings.server_limit - settings.server_limit / 8) {
    throw Failure(fmt::format("only {} of {} connections are served, and {} wait", inside,
                              settings.server_limit, waiting));
  }

  // Waiting costs nothing: neither the server's time, nor those inside their answers.
  std::string cpu = "CPU not measured (no --server-pid)";
  if (!settings.server_pids.empty()) {
    const double percent = cpu_percent(settings.server_pids);
    cpu = fmt::format("{:.1f} % CPU meanwhile", percent);
    if (percent >= cpu_percent_max) {
      throw Failure(fmt::format(
          "the server uses {:.1f} % of a CPU while {} connections wait, the limit is {} %", percent,
          waiting, cpu_percent_max));
    }
  }
  context.watch_delays();
  Clock::duration longest{};
  std::vector<std::size_t> served;
  for (std::size_t index = 0; index < count; ++index) {
    if (crowd[index].received() > 0) served.push_back(index);
  }
  for (std::size_t index = 0; index < served.size(); index += 1 + served.size() / 64) {
    longest = std::max(longest, ping(context, crowd[served[index]], message_size));
  }
  context.judge_answer(longest, "one inside");

  // Room comes: with one worker each that leaves lets one in. With more it may be another worker's
  // room.
  std::size_t closed = 0;
  while (crowd.answered() < count) {
    const std::size_t due = count - crowd.answered();
    if (closed == served.size() || (settings.server_workers == 1 && closed > 0)) {
      throw Failure(
          fmt::format("{} of {} waiting connections were not served when {} inside had closed", due,
                      waiting, closed));
    }
    for (std::size_t batch = 0; batch < due && closed < served.size(); ++batch, ++closed) {
      crowd.close(served[closed], closed % 2 == 0);
    }
    const auto patience =
        settings.server_workers == 1 ? context.silence() : context.scaled(Milliseconds(500));
    while (crowd.answered() < count && crowd.take_answers(Deadline(patience)) > 0) {
    }
  }
  for (std::size_t index = 0; index < count; ++index) {
    if (crowd[index].fd() < 0) continue;
    ping(context, crowd[index], message_size);
    crowd.close(index, index % 8 != 0);
  }
  context.seen =
      fmt::format("{} inside, {} waited unanswered and were served after {} had left; {}", inside,
                  waiting, closed, cpu);
}

}  // namespace

std::vector<Case> crowd_cases() {
  using std::chrono::seconds;
  return {
      {"churn", "20,000 connections with a ping each, 8 at a time", seconds(120), churn},
      {"idle", "as many connections as limits allow, traffic on a few", seconds(120), idle},
      {"flood", "more than the server's limit: the rest waits, costs nothing, and is served later",
       seconds(120), flood},
  };
}

}  // namespace lab
