#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>

#include "05-performance/ringload/processor_time.hpp"

namespace lab {
namespace {

constexpr std::uint64_t ms = 1'000'000;

TEST(ProcessorUse, BusyIsWhatIsNeitherIdleNorStolen) {
  const ProcessorTime earlier{.at_ns = 0};
  const ProcessorTime later{.at_ns = 1000 * ms,
                            .user = 100 * ms,
                            .system = 200 * ms,
                            .idle = 300 * ms,
                            .iowait = 100 * ms,
                            .softirq = 50 * ms,
                            .steal = 200 * ms};
  const ProcessorUse use = later - earlier;
  EXPECT_DOUBLE_EQ(use.elapsed_s, 1.0);
  EXPECT_NEAR(use.busy_s, 0.4, 1e-9);
  EXPECT_NEAR(use.ticks_s, 0.35, 1e-9);
  EXPECT_NEAR(use.steal_share(), 0.2, 1e-9);
}

// proc(5): idle and iowait may step back.
TEST(ProcessorUse, StepsBackAreNothing) {
  const ProcessorTime earlier{.at_ns = 0, .idle = 500 * ms};
  const ProcessorTime later{.at_ns = 100 * ms, .idle = 490 * ms};
  EXPECT_NEAR((later - earlier).busy_s, 0.1, 1e-9);
}

TEST(ProcessorTime, NoSuchProcessor) {
  EXPECT_THROW(ProcessorTime::read(4095), std::runtime_error);
}

TEST(ProcessClocks, CountsAChild) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (const std::uint64_t end = thread_cpu_ns() + 30 * ms; thread_cpu_ns() < end;) {
    }
    for (;;) pause();
  }
  const auto tree = process_tree(getpid());
  EXPECT_EQ(std::ranges::count(tree, child), 1);
  ProcessClocks clocks(child);
  for (int wait = 0; wait < 1000 && clocks.read_ns() < 30 * ms; ++wait) usleep(10'000);
  EXPECT_GE(clocks.read_ns(), 30 * ms);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_GE(clocks.read_ns(), 30 * ms) << "a process that has ended keeps what it used";
  EXPECT_THROW(ProcessClocks{child}, std::system_error);
}

}  // namespace
}  // namespace lab
