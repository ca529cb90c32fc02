#include "05-performance/lib/core_thread.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

namespace lab {
namespace {

TEST(CoreThread, AllowedCpusAreTheAffinityMask) {
  const std::vector<int> cpus = allowed_cpus();
  ASSERT_FALSE(cpus.empty());
  EXPECT_TRUE(std::is_sorted(cpus.begin(), cpus.end()));
  EXPECT_EQ(std::adjacent_find(cpus.begin(), cpus.end()), cpus.end());
  EXPECT_NE(std::find(cpus.begin(), cpus.end(), sched_getcpu()), cpus.end());

  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) GTEST_SKIP() << "more than 1024 processors";
  EXPECT_EQ(cpus.size(), static_cast<std::size_t>(CPU_COUNT(&mask)));
  for (const int cpu : cpus) EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(cpu), &mask)) << cpu;
}

TEST(CoreThread, PinsTheCallingThreadAndNoOther) {
  const std::vector<int> before = allowed_cpus();
  for (const int cpu : before) {
    std::thread([cpu] {
      pin_to_cpu(cpu);
      EXPECT_EQ(sched_getcpu(), cpu);
      EXPECT_EQ(allowed_cpus(), std::vector{cpu});
    }).join();
  }
  EXPECT_EQ(allowed_cpus(), before);
}

TEST(CoreThread, AProcessorThatIsNotThereIsAnError) {
  std::thread([] {
    for (const int cpu : {4095, 4096, 1'000'000, -1}) {
      try {
        pin_to_cpu(cpu);
        ADD_FAILURE() << "no exception for " << cpu;
      } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::invalid_argument) << cpu;
      }
    }
  }).join();
}

}  // namespace
}  // namespace lab
