// A worker that dies again and again: its listener is closed, the other serves everybody, and it is
// tried again every 5 s. Both ways of steering at the same time, for each spends its time waiting.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include "05-performance/lib/core_thread.hpp"
#include "tests/server/server_process.hpp"

namespace lab {
namespace {

constexpr Clock::duration pauses = 0s + 100ms + 1000ms + 5000ms;  // by the design

class CrashLoop {
 public:
  explicit CrashLoop(const char* steering)
      : steering_(steering),
        server_({"--port", "0", "--workers", "2", "--steer", steering, "--connections", "256",
                 "--buffer-size", "1024", "--buffer-count", "1024", "--stats-json", stats_.path(),
                 "--stats-interval-ms", "100"}),
        cpus_(allowed_cpus()) {}

  /// Why it could not be shown; empty: it was.
  const std::string& skipped() const { return skipped_; }

  void run() try {
    server_.port();
    keeper_ = server_.workers().front();
    // By hash it might be a client of the one that is killed.
    std::optional<Stream> kept;
    if (steering_ == std::string("cpu")) kept.emplace(connect_from(cpus_[0]));
    const Clock::time_point first = Clock::now();
    if (!kill_until("worker 1 died 5 times within 10 s: its listener is closed")) {
      const bool slow = fifth_death_ - first > 9s;
      ASSERT_TRUE(slow) << steering_ << ": " << server_.log();
      skipped_ = "this machine takes longer than 10 s for five deaths";
      return;
    }
    expect_one_serves_all();

    // Five seconds later it has another chance, and dies again at once: no second five deaths.
    EXPECT_TRUE(kill_until("worker 1 died again: its listener is closed"));
    expect_one_serves_all();

    EXPECT_TRUE(server_.logs("worker 1 serves again")) << steering_;
    expect_both_serve();
    if (kept) ping(*kept);
  } catch (const std::exception& error) {
    ADD_FAILURE() << steering_ << ": " << error.what() << "\n" << server_.log();
  }

 private:
  bool kill_until(const std::string& line) {
    return eventually(
        [&] {
          for (const pid_t worker : server_.workers()) {
            if (worker != keeper_) kill(worker, SIGKILL);
          }
          if (fifth_death_ == Clock::time_point() && deaths() >= 5) fifth_death_ = Clock::now();
          return server_.logs(line, 0s);
        },
        pauses + patience);
  }

  Stream connect_from(int cpu) {
    const OnCpu here(cpu);
    return connect_to(server_.port());
  }

  unsigned deaths() {
    unsigned count = 0;
    const std::string& log = server_.log();
    for (std::size_t place = 0; (place = log.find("the next one starts", place)) != log.npos;) {
      ++place;
      ++count;
    }
    return count;
  }

  // While the supervisor stands still nobody takes the dead one's place, however long this takes.
  void expect_one_serves_all() {
    ServerProcess::stop(server_.pid());
    for (unsigned number = 0; number < 40; ++number) {
      Stream client = connect_from(cpus_[number % cpus_.size()]);
      ping(client, 100);
    }
    server_.signal(SIGCONT);
  }

  void expect_both_serve() {
    const double before = accepted_by_second();
    for (unsigned number = 0; number < 40; ++number) {
      Stream client = connect_from(cpus_[number % cpus_.size()]);
      ping(client);
    }
    EXPECT_TRUE(eventually([&] { return accepted_by_second() > before; })) << steering_;
  }

  double accepted_by_second() const {
    return stats_.lines().back()["workers"].array()[1]["accepted"].number();
  }

  const char* steering_;
  const StatsJson stats_;
  ServerProcess server_;
  const std::vector<int> cpus_;
  pid_t keeper_ = -1;
  Clock::time_point fifth_death_{};
  std::string skipped_;
};

TEST(CrashLoop, ClosesOneListenerAndTheOtherServesAll) {
  if (allowed_cpus().size() != 2) GTEST_SKIP() << "needs two CPUs, one for each of two workers";
  // Each server dies with the thread that started it, so each thread starts its own.
  std::array<std::string, 2> skipped;
  const auto run = [](const char* steering, std::string& why) {
    CrashLoop loop(steering);
    loop.run();
    why = loop.skipped();
  };
  std::thread by_hash([&] { run("hash", skipped[0]); });
  std::thread by_cpu([&] { run("cpu", skipped[1]); });
  by_hash.join();
  by_cpu.join();
  for (const std::string& why : skipped) {
    if (!why.empty()) GTEST_SKIP() << why;
  }
}

// Nobody else is there to serve: the clients wait for the next start, and the port stays taken.
TEST(CrashLoop, TheLastListenerStaysOpen) {
  ServerProcess server({"--port", "0", "--workers", "1", "--connections", "256", "--buffer-size",
                        "1024", "--buffer-count", "1024"});
  const std::uint16_t port = server.port();
  ASSERT_TRUE(eventually(
      [&] {
        for (const pid_t worker : server.workers()) kill(worker, SIGKILL);
        return server.logs("worker 0 died 5 times within 10 s", 0s);
      },
      pauses + patience));
  EXPECT_NE(server.log().find("the next one starts in 5000 ms; nobody serves until then"),
            std::string::npos)
      << server.log();
  std::vector<Stream> waiting;
  for (unsigned number = 0; number < 5; ++number) {
    waiting.push_back(connect_to(port));
    waiting.back().send(100, soon());
  }
  ServerProcess other({"--port", std::to_string(port), "--workers", "2"});
  const std::optional<Exit> end = other.wait();
  ASSERT_TRUE(end) << "it listens on the same port";
  EXPECT_EQ(end->code, 1);
  EXPECT_NE(other.log().find("in use"), std::string::npos);
  EXPECT_TRUE(server.logs("worker 0 serves again"));
  for (Stream& client : waiting) client.receive(100, soon());
}

}  // namespace
}  // namespace lab
