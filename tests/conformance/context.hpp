// What a case is given: the server's address, the run's settings, its deadline, and the watch on
// the delays of client and server, without which no wait of a server could be judged on a busy
// machine.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/client.hpp"

namespace lab {

// The case cannot be run here; the text says why.
struct Skip : std::runtime_error {
  using runtime_error::runtime_error;
};

// A limit was passed while this client or the server was kept from running: the case is run again.
struct MachineBusy : std::runtime_error {
  using runtime_error::runtime_error;
};

// The server reset a peer that reads, where it may reset those that do not: who is kept from
// reading looks like them. The case is run again; it has failed when that happens each time.
struct TakenForIdle : std::runtime_error {
  using runtime_error::runtime_error;
};

struct Settings {
  Endpoint server;
  std::uint64_t seed = 1;
  double time_scale = 1;
  bool quick = false;
  std::uint64_t stream_bytes = 256U << 20;
  std::size_t idle_connections = 0;  // 0: as many as limits allow
  std::size_t server_limit = 0;      // 0: not known
  std::size_t server_workers = 1;
  std::vector<int> server_pids;  // empty: not known
  std::string stats_file;
  bool tls = false;
  // Cases in which the server may reset a peer that does not read, by a regular expression; empty:
  // none.
  std::string may_shed;
};

// Measures how late this process is woken, with a thread that does nothing else.
class DelayMeter {
 public:
  DelayMeter();
  DelayMeter(const DelayMeter&) = delete;
  DelayMeter& operator=(const DelayMeter&) = delete;
  // Joins the thread.
  ~DelayMeter();

  // The longest delay since the last reset().
  [[nodiscard]] Milliseconds longest() const { return Milliseconds(longest_ms_.load()); }
  void reset() { longest_ms_ = 0; }

 private:
  void run(const std::stop_token& stop);

  std::atomic<std::int64_t> longest_ms_ = 0;
  // Last, so that the thread finds the fields alive.
  std::jthread thread_;
};

// One run of one case.
class Context {
 public:
  Context(const Settings& of_run, DelayMeter& meter, Clock::duration limit)
      : settings(of_run), delay(meter), deadline(limit), random(of_run.seed) {}

  const Settings& settings;
  DelayMeter& delay;
  Deadline deadline;
  Random random;
  // True when the server may reset a peer that does not read.
  bool may_shed = false;
  // What the case saw, for the table.
  std::string seen;

  // Connects. Numbers are the process's, so no two streams of a run are equal. Any thread may call
  // it.
  [[nodiscard]] Stream connect(const StreamOptions& options = {}) const;

  // `duration` times --time-scale: for everything that a slower machine may need more of.
  [[nodiscard]] Clock::duration scaled(Clock::duration duration) const;
  // Connections that do not move for this long have stopped.
  [[nodiscard]] Clock::duration silence() const { return scaled(Milliseconds(8000)); }
  // The promise of the server: nobody's answer takes longer, whatever the other peers do.
  [[nodiscard]] Clock::duration answer_limit() const { return scaled(Milliseconds(500)); }

  // From here on judge_answer() asks who was kept from running.
  void watch_delays();
  // Throws Failure when `longest` is above answer_limit(), MachineBusy when others that ran on this
  // machine may be the cause.
  void judge_answer(Clock::duration longest, const std::string& whose) const;

 private:
  Milliseconds server_waited_before_{};
};

// How a connection is driven by run_flows().
struct Flow {
  Stream stream;
  std::uint64_t bytes = 0;          // how many it sends in all
  std::uint64_t message_size = 64;  // what is sent as one piece
  std::uint64_t depth = 1;          // messages that may be unanswered, 0: no limit
  std::size_t send_size_max =
      0;  // a random size up to it goes into each call; 0: as much as possible
  std::size_t receive_size_max = 0;
};

// Drives all flows from this thread until each has its last byte back. Returns the longest silence.
Clock::duration run_flows(Context& context, std::vector<Flow>& flows);

// Reads all streams at once until each has everything and the server's FIN; each has said finish().
// Returns how many were reset instead, which is a Failure unless may_shed.
std::size_t receive_all_to_end(Context& context, std::vector<Stream>& streams);

// Sends `size` bytes, receives them again, returns how long that took. No answer at the case's
// deadline: Failure.
Clock::duration ping(const Context& context, Stream& stream, std::size_t size = 64);

// Runs `body(index)` in `count` threads and joins them; the first exception is thrown again.
void run_threads(std::size_t count, const std::function<void(std::size_t)>& body);

// A thread whose exception comes out of join().
class Task {
 public:
  explicit Task(std::function<void(const std::stop_token&)> body);
  // Asks it to stop and throws what it threw.
  void join();

 private:
  std::exception_ptr failure_;
  std::jthread thread_;
};

std::string in_words(std::uint64_t bytes);
double in_ms(Clock::duration duration);

}  // namespace lab
