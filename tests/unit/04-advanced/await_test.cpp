#include "04-advanced/lib/await.hpp"

#include <sys/socket.h>

#include <cstring>
#include <string>

#include "01-core/lib/timer.hpp"
#include "03-network/lib/send_zero_copy.hpp"
#include "tests/unit/04-advanced/task_support.hpp"

namespace lab {
namespace {

Task read_text(FramePool&, Ring& ring, Fd& file, std::string& text) {
  std::array<std::byte, 16> memory{};
  for (;;) {
    const Cqe cqe = co_await Await<Read>(ring, file, Read::What{.memory = memory});
    if (cqe.res <= 0) co_return cqe.res;
    text.append(reinterpret_cast<const char*>(memory.data()), static_cast<std::size_t>(cqe.res));
  }
}

TEST(Await, GivesTheResultsInOrder) {
  Frames frames;
  Ring ring;
  Pipe pipe;
  std::string text;
  Task task = read_text(frames.pool, ring, pipe.read_end, text);
  task.start();
  ring.run_once(0);
  EXPECT_FALSE(task.done());
  pipe.write("a text that is longer than the memory of one read");
  pipe.write_end.reset();
  run_until(ring, [&] { return task.done(); });
  EXPECT_EQ(text, "a text that is longer than the memory of one read");
  EXPECT_EQ(task.result(), 0);
}

TEST(Await, AnErrorIsAResult) {
  Frames frames;
  Ring ring;
  Fd none;
  std::string text;
  Task task = read_text(frames.pool, ring, none, text);
  task.start();
  run_until(ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), -EBADF);
}

TEST(Await, AnyOperationOfTheLabWillDo) {
  Frames frames;
  Ring ring;
  const auto nap = [](FramePool&, Ring& on) -> Task {
    const Cqe cqe = co_await Await<Timer>(on, 1'000'000U);
    co_return cqe.res;
  };
  Task task = nap(frames.pool, ring);
  task.start();
  run_until(ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), -ETIME);
}

TEST(Await, ManyTasksWaitAtTheSameTime) {
  constexpr std::size_t count = 20;
  Frames frames(count);
  Ring ring;
  std::vector<Pipe> pipes(count);
  std::vector<std::string> texts(count);
  std::vector<Task> tasks;
  for (std::size_t which = 0; which < count; ++which) {
    tasks.push_back(read_text(frames.pool, ring, pipes[which].read_end, texts[which]));
    tasks.back().start();
  }
  ring.run_once(0);
  for (std::size_t which = count; which > 0; --which) {
    pipes[which - 1].write(std::to_string(which - 1));
    pipes[which - 1].write_end.reset();
  }
  run_until(ring, [&] { return ring.armed_count() == 0; });
  for (std::size_t which = 0; which < count; ++which) {
    EXPECT_EQ(texts[which], std::to_string(which));
    EXPECT_TRUE(tasks[which].done());
  }
}

// A zero-copy send's memory is the kernel's until the notification: the task waits for both.
TEST(Await, OfTwoCqesTheFirstIsTheResultAndTheLastIsTheEnd) {
  Frames frames;
  Connected test;
  const std::vector<std::byte> bytes = pattern(10'000);
  const auto send = [](FramePool&, Ring& ring, FileSlot slot,
                       const std::vector<std::byte>& all) -> Task {
    const Cqe cqe = co_await Await<SendZeroCopy>(ring, slot, all, SendZeroCopy::Options{});
    co_return cqe.notification() ? -1 : cqe.res;
  };
  const std::uint64_t before = test.ring.counters().completions;
  Task task = send(frames.pool, test.ring, test.pair.slot, bytes);
  task.start();
  run_until(test.ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), 10'000);
  EXPECT_EQ(test.ring.counters().completions - before, 2U);
  EXPECT_EQ(receive_all(test.pair.client, 10'000), bytes);
}

// What was in the buffer of a task that is gone must not reach the next one in the same frame.
TEST(Await, TheNextTaskInTheFrameGetsNothingOfTheLast) {
  Frames frames(1);
  Ring ring;
  Pipe first;
  Pipe second;
  std::string lost;
  std::string text;
  {
    Task task = read_text(frames.pool, ring, first.read_end, lost);
    task.start();
    ring.run_once(0);
  }
  EXPECT_FALSE(read_text(frames.pool, ring, second.read_end, text)) << "not before the join";
  run_until(ring, [&] { return frames.pool.used() == 0; });
  Task task = read_text(frames.pool, ring, second.read_end, text);
  ASSERT_TRUE(task);
  task.start();
  first.write("for the one that is gone");
  second.write("for you");
  second.write_end.reset();
  run_until(ring, [&] { return task.done(); });
  EXPECT_EQ(text, "for you");
  EXPECT_EQ(lost, "");
}

}  // namespace
}  // namespace lab
