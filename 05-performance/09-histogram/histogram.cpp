// shows: an echo that stalls once, measured in three ways; one of them notices
// needs: Linux 5.6
// try:   ./lab run 05-09; then make stalled_request 499, and say why no p99 shows it now
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned request_count = 500;
constexpr unsigned stalled_request = 200;
constexpr std::chrono::milliseconds stall{50};
constexpr std::uint64_t interval_ns = 500'000;
constexpr unsigned message_size = 8;

/// Counts durations; forgets which was which. Up to 32 ns a bucket is 1 ns wide. Then each power of
/// two has 32 buckets, so a bucket is never wider than a 32nd of what it holds.
struct Histogram {
  static constexpr unsigned bits = 5;
  static constexpr std::uint64_t linear = 1U << bits;
  std::array<std::uint64_t, (40 - bits + 1) * linear> counts{};  // up to 2^40 ns: 18 minutes
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
  std::uint64_t max_ns = 0;

  // [walk record]
  void record(std::uint64_t ns) {
    const auto shift = ns < linear ? 0 : static_cast<unsigned>(std::bit_width(ns)) - bits - 1;
    ++counts.at(shift * linear + (ns >> shift));
    ++count;
    sum_ns += ns;
    if (ns > max_ns) max_ns = ns;
  }
  // [/walk]

  // [walk percentile]
  // No duration of the first `percent` % is longer than the end of this bucket.
  double percentile_ms(double percent) const {
    const double rank = std::ceil(percent / 100 * static_cast<double>(count));
    std::uint64_t seen = 0;
    std::size_t place = 0;
    while (place < counts.size() && static_cast<double>(seen += counts[place]) < rank) ++place;
    const std::size_t shift = place < 2 * linear ? 0 : place / linear - 1;
    const std::uint64_t end = ((place - shift * linear + 1) << shift) - 1;
    return static_cast<double>(std::min(end, max_ns)) / 1e6;
  }
  // [/walk]

  double mean_ms() const { return static_cast<double>(sum_ns) / static_cast<double>(count) / 1e6; }
};

// [walk stall]
// It answers everything with itself. Only this thread writes the counter: no atomic add is needed.
void serve(int fd, std::atomic<std::uint64_t>& answered) {
  for (unsigned request = 0; request < request_count; ++request) {
    const std::string message = lab::receive(fd, message_size);
    if (request == stalled_request) std::this_thread::sleep_for(stall);
    lab::send_all(fd, message);
    answered.store(answered.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}
// [/walk]

// steady_clock is CLOCK_MONOTONIC, which the kernel's timeouts use, too.
std::uint64_t now_ns() {
  const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(now.count());
}

void take(io_uring& ring, int wanted, const char* what) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (cqe->res != wanted) lab::fail(std::string(what) + ": res " + std::to_string(cqe->res));
  io_uring_cqe_seen(&ring, cqe);
}

// [walk until]
// A moment, not a duration: a wait that begins late still ends in time, or at once.
void wait_until(io_uring& ring, std::uint64_t ns) {
  __kernel_timespec moment{.tv_sec = static_cast<long long>(ns / 1'000'000'000),
                           .tv_nsec = static_cast<long long>(ns % 1'000'000'000)};
  io_uring_prep_timeout(io_uring_get_sqe(&ring), &moment, 0, IORING_TIMEOUT_ABS);
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  take(ring, -ETIME, "the timeout");
}
// [/walk]

void ask(io_uring& ring, int fd) {
  std::array<char, message_size> question{"request"};
  std::array<char, message_size> answer{};
  io_uring_prep_send(io_uring_get_sqe(&ring), fd, question.data(), question.size(), 0);
  io_uring_prep_recv(io_uring_get_sqe(&ring), fd, answer.data(), answer.size(), MSG_WAITALL);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");
  for (int results = 0; results < 2; ++results) take(ring, message_size, "a send or a receive");
}

// [walk closed]
void closed_loop(io_uring& ring, int fd, Histogram& answers) {
  for (unsigned request = 0; request < request_count; ++request) {
    const std::uint64_t sent = now_ns();
    ask(ring, fd);
    answers.record(now_ns() - sent);
  }
}
// [/walk]

// [walk schedule]
// The same answers, measured from two beginnings.
void by_schedule(io_uring& ring, int fd, Histogram& from_send, Histogram& from_due) {
  std::uint64_t due = now_ns();
  for (unsigned request = 0; request < request_count; ++request) {
    wait_until(ring, due);
    const std::uint64_t sent = now_ns();
    ask(ring, fd);
    const std::uint64_t done = now_ns();
    from_send.record(done - sent);
    from_due.record(done - due);
    // The users of the next request do not know that this one was late.
    due += interval_ns;
  }
}
// [/walk]

// A blind way does not see the stall, unless the machine's own noise is as long.
void show(const char* name, const Histogram& answers, bool blind) {
  const double p99_ms = answers.percentile_ms(99);
  std::printf("# %-26s %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f\n", name, answers.mean_ms(),
              answers.percentile_ms(50), answers.percentile_ms(90), p99_ms,
              answers.percentile_ms(99.9), static_cast<double>(answers.max_ns) / 1e6);
  const std::string claim = std::string("  ") + name;
  if (blind) lab::effect(p99_ms <= 25, claim, "a p99 of " + std::to_string(p99_ms) + " ms", "no");
  if (!blind) std::printf("%s: %s\n", claim.c_str(), p99_ms > 25 ? "yes" : "no");
}

// The axis stretches the end: each step to the right is for a tenth of the requests before it.
void plot(const std::string& folder, const std::array<Histogram, 3>& ways) {
  std::FILE* data = std::fopen((folder + "percentiles.tsv").c_str(), "w");
  if (data == nullptr) lab::need_errno(-1, "percentiles.tsv");
  std::fprintf(data, "# one of\tclosed loop ms\tfrom the send ms\tfrom due time ms\n");
  for (double one_of = 1; one_of < static_cast<double>(ways[0].count); one_of *= 1.1) {
    std::fprintf(data, "%.3f", one_of);
    const double percent = 100 - 100 / one_of;
    for (const Histogram& way : ways) std::fprintf(data, "\t%.4f", way.percentile_ms(percent));
    std::fprintf(data, "\n");
  }
  std::fclose(data);
  std::FILE* gnuplot = popen("gnuplot", "w");
  if (gnuplot == nullptr) lab::need_errno(-1, "gnuplot");
  std::fprintf(gnuplot,
               "cd '%s'\nset terminal svg size 760,420 background 'white' font 'sans,13'\n"
               "set output 'percentiles.svg'\nset logscale xy\nset grid\nset key bottom right\n"
               "set title 'One stall of 50 ms in 500 requests, measured in three ways (Linux '"
               ".system('uname -r | sed s/-.*//').')'\nset ylabel 'ms'\nset xlabel 'percentile'\n"
               "set xtics ('p0' 1, 'p50' 2, 'p90' 10, 'p99' 100, 'p99.9' 1000, 'p99.99' 10000)\n"
               "way(n) = word('\"closed loop\" \"from the send\" \"from due time\"', n - 1)\n"
               "plot for [n=4:2:-1] 'percentiles.tsv' using 1:n with lines lw 3 title way(n)\n",
               folder.c_str());
  if (pclose(gnuplot) != 0) lab::fail("gnuplot could not draw", "./lab setup bench");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[rounds]: how often the server stalls (default 3)", 30);
  io_uring ring{};
  lab::need(io_uring_queue_init(4, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Histogram example;
  for (unsigned request = 0; request < 1000; ++request) {
    example.record(request % 50 == 0 ? 10'000'000 : 100'000);
  }
  std::printf("980 answers of 0.1 ms, 20 of 10 ms: mean %.3f ms, p50 %.3f ms, p99 %.3f ms\n",
              example.mean_ms(), example.percentile_ms(50), example.percentile_ms(99));

  std::array<Histogram, 3> ways;
  std::atomic<std::uint64_t> answered{0};
  const long turns = 2 * lesson.argument(1, 3, 1, 1000);
  for (long turn = 0; turn < turns; ++turn) {
    const auto [server_fd, client_fd] = lab::connected_pair();
    std::thread server(serve, server_fd, std::ref(answered));
    if (turn % 2 == 0) closed_loop(ring, client_fd, ways[0]);
    if (turn % 2 == 1) by_schedule(ring, client_fd, ways[1], ways[2]);
    server.join();
    close(client_fd);
    close(server_fd);
  }
  std::printf("one answer in 500 waits 50 ms for the server. Does the p99 show it?\n");
  std::puts("# ms                             mean      p50      p90      p99    p99.9      max");
  show("closed loop", ways[0], true);
  show("by schedule, from the send", ways[1], true);
  show("by schedule, from due time", ways[2], false);
  if (answered != ways[0].count + ways[2].count) lab::fail("answered, and not measured");
  if (const char* folder = std::getenv("LAB_PLOTS")) plot(std::string(folder) + "/", ways);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
