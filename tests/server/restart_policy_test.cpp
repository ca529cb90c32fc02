#include "06-server/lib/process/restart_policy.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lab {
namespace {

// Dies as soon as it was started, so often.
std::vector<RestartPolicy::Decision> crash_loop(RestartPolicy& policy, std::uint64_t from_ms,
                                                unsigned deaths) {
  std::vector<RestartPolicy::Decision> decisions;
  for (std::uint64_t now_ms = from_ms; decisions.size() < deaths;) {
    decisions.push_back(policy.on_death(now_ms, now_ms));
    now_ms += decisions.back().pause_ms;
  }
  return decisions;
}

TEST(RestartPolicy, PausesGrowAndTheFifthDeathIsACrashLoop) {
  RestartPolicy policy;
  const std::uint64_t pauses_ms[] = {0, 100, 1000, 5000, 5000, 5000};
  const std::vector<RestartPolicy::Decision> decisions = crash_loop(policy, 1'000'000, 6);
  for (std::size_t index = 0; index < decisions.size(); ++index) {
    EXPECT_EQ(decisions[index].pause_ms, pauses_ms[index]) << index;
    EXPECT_EQ(decisions[index].gives_up, index >= 4) << index;
    EXPECT_EQ(decisions[index].again, index == 5) << index;
  }
}

TEST(RestartPolicy, OneThatDiesNowAndThenIsStartedAtOnce) {
  RestartPolicy policy;
  for (std::uint64_t hour = 0; hour < 20; ++hour) {
    const std::uint64_t death_ms = 1'000'000 + hour * 3'600'000;
    const RestartPolicy::Decision next = policy.on_death(death_ms, death_ms - 3'600'000);
    EXPECT_EQ(next.pause_ms, 0U);
    EXPECT_FALSE(next.gives_up);
  }
}

TEST(RestartPolicy, AfterACrashLoopItHasToLiveForTheWindow) {
  for (const std::uint64_t lived_ms : {RestartPolicy::window_ms, RestartPolicy::window_ms + 1}) {
    RestartPolicy policy;
    crash_loop(policy, 1'000'000, 5);
    const std::uint64_t death_ms = 2'000'000;
    const RestartPolicy::Decision next = policy.on_death(death_ms, death_ms - lived_ms);
    const bool long_enough = lived_ms > RestartPolicy::window_ms;
    EXPECT_EQ(next.gives_up, !long_enough);
    EXPECT_EQ(next.pause_ms, long_enough ? 0U : RestartPolicy::retry_ms);
  }
}

}  // namespace
}  // namespace lab
