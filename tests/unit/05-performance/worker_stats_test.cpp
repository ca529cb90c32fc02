#include "05-performance/lib/worker_stats.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <set>
#include <string>
#include <thread>

namespace lab {
namespace {

// Two workers' blocks lie side by side in shared memory; no cache line may belong to both, nor a
// pair of lines that the processor fetches together.
static_assert(alignof(WorkerStats) == 128);
static_assert(sizeof(WorkerStats) % 128 == 0);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a lock would not work across fork");

TEST(WorkerStats, BeginsAtZero) {
  const WorkerStats stats;
  for (const std::uint64_t value : stats.read()) EXPECT_EQ(value, 0U);
  EXPECT_EQ(stats.heartbeat.get(), 0U);
}

TEST(WorkerStats, EachCounterIsItsOwn) {
  WorkerStats stats;
  for (std::size_t index = 0; index < stat_count; ++index) {
    stats[static_cast<Stat>(index)].add(index + 1);
    stats[static_cast<Stat>(index)].add(100);
  }
  stats.heartbeat.add(7);
  const StatValues values = stats.read();
  for (std::size_t index = 0; index < stat_count; ++index) {
    EXPECT_EQ(values[index], index + 101);
    EXPECT_EQ(stats.get(static_cast<Stat>(index)), index + 101);
  }
  stats[Stat::cpu_ns].set(5);
  EXPECT_EQ(stats.get(Stat::cpu_ns), 5U);
  EXPECT_EQ(stats.heartbeat.get(), 7U);
}

TEST(WorkerStats, NamesAndMeaningsAreThereAndDiffer) {
  std::set<std::string> names;
  for (const CounterInfo& info : stat_infos()) {
    const std::string name(info.name);
    EXPECT_FALSE(name.empty() || info.help.empty()) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  // First, last and two between: a name that was left out would shift the rest.
  const auto name = [](Stat stat) { return stat_infos()[static_cast<std::size_t>(stat)].name; };
  EXPECT_EQ(name(Stat::accepted), "accepted");
  EXPECT_EQ(name(Stat::no_buffers), "no_buffers");
  EXPECT_EQ(name(Stat::enters), "enters");
  EXPECT_EQ(name(Stat::cpu_ns), "cpu_ns");
}

TEST(WorkerStats, EachWorkerHasItsOwnCountersBehindThoseOfAll) {
  const SharedStats stats(3, 5);
  for (std::size_t worker = 0; worker < 3; ++worker) {
    stats[worker][Stat::cpu_ns].set(100 + worker);
    ASSERT_EQ(stats.own(worker).size(), 5U);
    for (std::size_t index = 0; index < 5; ++index)
      stats.own(worker)[index].add(worker * 10 + index);
  }
  for (std::size_t worker = 0; worker < 3; ++worker) {
    const CounterValues values = stats.read(worker);
    ASSERT_EQ(values.size(), stat_count + 5);
    EXPECT_EQ(values[0], 0U);
    EXPECT_EQ(values[static_cast<std::size_t>(Stat::cpu_ns)], 100 + worker);
    for (std::size_t index = 0; index < 5; ++index)
      EXPECT_EQ(values[stat_count + index], worker * 10 + index);
  }
}

TEST(WorkerStats, AnotherProcessSeesThem) {
  void* memory =
      mmap(nullptr, sizeof(WorkerStats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* stats = new (memory) WorkerStats;
  const pid_t child = fork();
  if (child == 0) {
    for (int count = 0; count < 1000; ++count) (*stats)[Stat::receives].add(1);
    (*stats)[Stat::bytes_in].add(64'000);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(stats->get(Stat::receives), 1000U);
  EXPECT_EQ(stats->get(Stat::bytes_in), 64'000U);
  munmap(memory, sizeof(WorkerStats));
}

TEST(WorkerStats, AReaderNeverSeesACounterGoBack) {
  constexpr std::uint64_t last = 200'000;
  constexpr std::uint64_t step = (std::uint64_t{1} << 32) + 1;  // a torn read would mix the halves
  WorkerStats stats;
  std::thread writer([&] {
    for (std::uint64_t count = 0; count < last; ++count) stats[Stat::bytes_out].add(step);
  });
  std::uint64_t seen = 0;
  while (seen < last * step) {
    const std::uint64_t now = stats.read()[static_cast<std::size_t>(Stat::bytes_out)];
    EXPECT_GE(now, seen);
    EXPECT_EQ(now % step, 0U);
    if (now < seen || now % step != 0) break;
    seen = now;
  }
  writer.join();
}

}  // namespace
}  // namespace lab
