// Judges exercise.cpp and solution.cpp of 05-performance/09-histogram. It is the server, stalls
// once, and writes down when it answered: so it knows what each user really waited. Nobody edits
// this file.
#pragma once

#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace check {

inline constexpr unsigned message_size = 8;
inline constexpr std::uint64_t interval_ns = 500'000;
inline constexpr unsigned nobody = ~0U;

inline std::uint64_t now_ns() {
  timespec now{};
  lab::need_errno(clock_gettime(CLOCK_MONOTONIC, &now), "clock_gettime");
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// What the learner's generator has. Request 0 is due at start_ns, each other one interval_ns after
/// the one before it. A request is message_size bytes; its answer is the same bytes.
struct Load {
  io_uring ring{};
  int fd = -1;
  unsigned request_count = 0;
  std::uint64_t start_ns = 0;  ///< CLOCK_MONOTONIC

  /// How long a user waited. Once for each request, in their order.
  void record(std::uint64_t ns) {
    latencies.push_back(ns);
    recorded_ns.push_back(now_ns());
  }
  std::vector<std::uint64_t> latencies;
  std::vector<std::uint64_t> recorded_ns;  ///< when record() was called
};

using Generate = void (*)(Load& load);

struct Story {
  const char* title;
  unsigned request_count;
  unsigned stalled_request;
};

/// What the server saw of a request.
struct Seen {
  std::uint64_t arrived_ns;
  std::uint64_t answered_ns;
};

inline std::vector<Seen> serve(int fd, const Story& story) {
  std::vector<Seen> all;
  for (unsigned request = 0; request < story.request_count; ++request) {
    const std::string message = lab::receive(fd, message_size);
    if (message.size() < message_size) break;
    const std::uint64_t arrived_ns = now_ns();
    if (request == story.stalled_request) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    all.push_back({arrived_ns, now_ns()});
    lab::send_all(fd, message);
  }
  return all;
}

inline double percentile_ms(std::vector<std::uint64_t> latencies, unsigned percent) {
  std::sort(latencies.begin(), latencies.end());
  return static_cast<double>(latencies[(latencies.size() * percent + 99) / 100 - 1]) / 1e6;
}

inline std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", ms);
  return text;
}

/// The least time between an answer and the next request, of a client that never pauses.
inline std::uint64_t least_turn_ns() {
  const auto [server_fd, client_fd] = lab::connected_pair();
  std::vector<Seen> seen;
  std::thread server([&seen, fd = server_fd] { seen = serve(fd, {"", 50, nobody}); });
  for (int request = 0; request < 50; ++request) {
    lab::send_all(client_fd, "question");
    lab::receive(client_fd, message_size);
  }
  server.join();
  close(client_fd);
  close(server_fd);
  std::uint64_t least = ~std::uint64_t{0};
  for (std::size_t request = 1; request < seen.size(); ++request) {
    least = std::min(least, seen[request].arrived_ns - seen[request - 1].answered_ns);
  }
  return least;
}

inline void judge(const Load& load, const std::vector<Seen>& seen) {
  const std::size_t count = load.request_count;
  if (seen.size() != count || load.latencies.size() != count) {
    lab::fail(std::to_string(count) + " requests were due, " + std::to_string(seen.size()) +
                  " came, and record() was called " + std::to_string(load.latencies.size()) +
                  " times",
              "a request that is late is still sent, and recorded once");
  }
  // The user has the answer after the server sent it, and before it was recorded.
  std::vector<std::uint64_t> least;
  std::vector<std::uint64_t> most;
  unsigned late = 0;           // requests that came after the next one was due
  unsigned late_by_pause = 0;  // of these, kept back although their predecessor was answered
  for (std::size_t request = 0; request < count; ++request) {
    const std::uint64_t due_ns = load.start_ns + request * interval_ns;
    const Seen& here = seen[request];
    if (here.arrived_ns < due_ns) {
      lab::fail("request " + std::to_string(request) + " came before it was due",
                "wait for the moment start_ns + number * interval_ns");
    }
    least.push_back(here.answered_ns - due_ns);
    most.push_back(load.recorded_ns[request] - due_ns);
    if (request == 0 || here.arrived_ns < due_ns + interval_ns) continue;
    ++late;
    if (here.arrived_ns - seen[request - 1].answered_ns >= interval_ns) ++late_by_pause;
  }
  for (const unsigned percent : {99U, 90U, 50U}) {
    const double told = percentile_ms(load.latencies, percent);
    const double true_ms = percentile_ms(least, percent);
    std::printf("# p%u: recorded %.1f ms, true %.1f ms\n", percent, told, true_ms);
    if (told < true_ms || told > percentile_ms(most, percent)) {
      lab::fail("p" + std::to_string(percent) + " of what you recorded is " + milliseconds(told) +
                    "; counted from when each request was due it is " + milliseconds(true_ms),
                told < true_ms ? "when does a user's waiting begin? (YOUR TURN 2)"
                               : "from this request's own due time to its own answer");
    }
  }
  // On a busy machine some requests are late by accident, but not all; on a very slow one they are.
  if (late >= 20 && late_by_pause == late) {
    if (least_turn_ns() >= interval_ns) lab::skip("a round trip takes longer than a pause here");
    lab::fail(std::to_string(late) + " requests were overdue, and you paused before " +
                  std::to_string(late_by_pause) + " of them: the schedule slipped",
              "wait for a moment, not for a time after the answer (YOUR TURN 1)");
  }
}

inline int run(int argc, char** argv, Generate generate) {
  lab::Lesson lesson(argc, argv);
  for (const Story& story :
       {Story{"the server stalls 100 ms, once", 800, 300},
        Story{"it stalls at the first request", 800, 0}, Story{"it never stalls", 200, nobody}}) {
    std::printf("%s\n", story.title);
    const auto [server_fd, client_fd] = lab::connected_pair();
    Load load;
    load.fd = client_fd;
    load.request_count = story.request_count;
    lab::need(io_uring_queue_init(8, &load.ring, 0), "io_uring_queue_init");
    lesson.watch(load.ring);
    std::vector<Seen> seen;
    std::thread server([&seen, fd = server_fd, &story] { seen = serve(fd, story); });
    load.start_ns = now_ns();
    generate(load);
    shutdown(client_fd, SHUT_WR);  // a generator that sent too little ends the server, too
    server.join();
    judge(load, seen);
    io_uring_queue_exit(&load.ring);
    close(client_fd);
    close(server_fd);
  }
  return lab::ok();
}

}  // namespace check
