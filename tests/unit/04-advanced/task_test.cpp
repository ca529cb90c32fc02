#include "04-advanced/lib/task.hpp"

#include <memory>
#include <string>

#include "01-core/lib/timer.hpp"
#include "tests/unit/04-advanced/task_support.hpp"

namespace lab {
namespace {

Task number(FramePool&, int value) { co_return value; }

Task sum(FramePool& frames, int left, int right) {
  const int one = co_await number(frames, left);
  const int other = co_await number(frames, right);
  co_return one + other;
}

Task read_forever(FramePool&, Ring& ring, Fd& file, bool& gone, int& resumed) {
  const Witness witness(gone);
  std::array<std::byte, 64> memory{};
  for (;;) {
    const Cqe cqe = co_await Await<Read>(ring, file, Read::What{.memory = memory});
    ++resumed;
    if (cqe.res <= 0) co_return cqe.res;
  }
}

Task outer(FramePool& frames, Ring& ring, Fd& file, bool& gone, bool& inner_gone, int& resumed) {
  const Witness witness(gone);
  co_return co_await read_forever(frames, ring, file, inner_gone, resumed);
}

struct Owner {
  int ends = 0;
  Task task;
  FramePool* pool = nullptr;
  std::uint32_t used_at_end = 99;
  void on_end() noexcept {
    ++ends;
    if (pool != nullptr) used_at_end = pool->used();
  }
  void on_end_destroy() noexcept {
    ++ends;
    task = Task{};
  }
};

TEST(Task, RunsWhenItIsStartedAndNotBefore) {
  Frames frames;
  bool gone = true;
  {
    Ring ring;
    Pipe pipe;
    int resumed = 0;
    const Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    EXPECT_TRUE(gone) << "its first line has not run";
    EXPECT_EQ(frames.pool.used(), 1U);
    EXPECT_EQ(ring.armed_count(), 0U);
  }
  EXPECT_EQ(frames.pool.used(), 0U) << "one that never ran has nothing to join";
}

TEST(Task, ReturnsAResult) {
  Frames frames;
  Task task = number(frames.pool, 7);
  EXPECT_FALSE(task.done());
  task.start();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.result(), 7);
}

TEST(Task, AwaitsOthersAndTheirFramesComeHome) {
  Frames frames(2);
  Task task = sum(frames.pool, 3, 4);
  task.start();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.result(), 7) << "two inner ones, one after the other, in one frame";
  EXPECT_EQ(frames.pool.used(), 1U);
  EXPECT_EQ(frames.pool.refused(), 0U);
}

TEST(Task, AnExhaustedPoolIsAResult) {
  Frames frames(1);
  Task first = number(frames.pool, 1);
  Task second = number(frames.pool, 2);
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  second.start();
  ASSERT_TRUE(second.done());
  EXPECT_EQ(second.result(), -ENOMEM);
  EXPECT_EQ(frames.pool.refused(), 1U);
  second.cancel();

  Owner owner;
  Task third = number(frames.pool, 3);
  third.start<&Owner::on_end>(owner);
  EXPECT_EQ(owner.ends, 1) << "whoever waits for the end waits not in vain";
}

TEST(Task, AnExhaustedPoolIsAResultInsideATaskToo) {
  Frames frames(1);
  Task task = sum(frames.pool, 3, 4);
  task.start();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.result(), 2 * -ENOMEM);
}

class Calculator {
 public:
  Task doubled(FramePool&, int value) { co_return value* factor_; }

 private:
  int factor_ = 2;
};

TEST(Task, AMemberFunctionTakesItsFrameFromThePoolToo) {
  Frames frames;
  Calculator calculator;
  Task task = calculator.doubled(frames.pool, 21);
  EXPECT_EQ(frames.pool.used(), 1U);
  task.start();
  EXPECT_EQ(task.result(), 42);
}

TEST(Task, ParametersByValueAreKeptInTheFrame) {
  Frames frames;
  const auto length = [](FramePool&, std::unique_ptr<std::string> text) -> Task {
    co_return static_cast<int>(text->size());
  };
  Task task = length(frames.pool, std::make_unique<std::string>(1000, 'x'));
  task.start();
  EXPECT_EQ(task.result(), 1000);
  const Task never_started = length(frames.pool, std::make_unique<std::string>(1000, 'x'));
}

TEST(Task, MovingMovesTheDutyToJoin) {
  Frames frames;
  Task one = number(frames.pool, 1);
  Task other = std::move(one);
  EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): that is what is tested
  other = number(frames.pool, 2);
  EXPECT_EQ(frames.pool.used(), 1U) << "the one that was there is gone";
  other.start();
  EXPECT_EQ(other.result(), 2);
}

// Where read_forever() runs.
class ReadingTask : public testing::Test {
 protected:
  Frames frames;
  Ring ring;
  Pipe pipe;
  bool gone = false;
  int resumed = 0;
};

TEST_F(ReadingTask, DestroyedInMidReadItsFrameLivesUntilTheLastCqe) {
  {
    Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    task.start();
    ring.run_once(0);
    EXPECT_EQ(ring.armed_count(), 1U);
  }
  EXPECT_FALSE(gone);
  EXPECT_EQ(frames.pool.used(), 1U);
  EXPECT_EQ(ring.armed_count(), 2U) << "the read and its cancel";
  run_until(ring, [&] { return frames.pool.used() == 0; });
  EXPECT_TRUE(gone);
  EXPECT_EQ(resumed, 0) << "a task that was destroyed does not go on";
  EXPECT_EQ(ring.armed_count(), 0U);
}

TEST_F(ReadingTask, DestroyedWhenTheDataWasFaster) {
  {
    Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    task.start();
    ring.run_once(0);
    pipe.write("data");
  }
  run_until(ring, [&] { return frames.pool.used() == 0; });
  EXPECT_TRUE(gone);
  EXPECT_EQ(resumed, 0);
}

// The read is complete at submission, so its CQE stands before the cancel's (-ENOENT): the frame
// has to wait for that one too.
TEST_F(ReadingTask, DestroyedWhenTheReadsCqeComesFirst) {
  pipe.write("data");
  {
    Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    task.start();
  }
  EXPECT_EQ(ring.armed_count(), 2U);
  run_until(ring, [&] { return frames.pool.used() == 0; });
  EXPECT_TRUE(gone);
  EXPECT_EQ(resumed, 0);
  EXPECT_EQ(ring.armed_count(), 0U);
}

TEST_F(ReadingTask, DestroyedBeforeItsSqeWasSubmitted) {
  {
    Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    task.start();
  }
  EXPECT_FALSE(gone) << "the queue holds its address";
  run_until(ring, [&] { return frames.pool.used() == 0; });
  EXPECT_TRUE(gone);
}

TEST(Task, TheOuterTaskTakesTheInnerOneWithIt) {
  Frames frames;
  Ring ring;
  Pipe pipe;
  bool gone = false;
  bool inner_gone = false;
  int resumed = 0;
  Owner owner;
  owner.pool = &frames.pool;
  {
    Task task = outer(frames.pool, ring, pipe.read_end, gone, inner_gone, resumed);
    task.start<&Owner::on_end>(owner);
    ring.run_once(0);
    EXPECT_EQ(frames.pool.used(), 2U);
  }
  EXPECT_EQ(owner.ends, 0);
  run_until(ring, [&] { return owner.ends == 1; });
  EXPECT_TRUE(gone);
  EXPECT_TRUE(inner_gone);
  EXPECT_EQ(resumed, 0);
  EXPECT_EQ(owner.used_at_end, 0U) << "the owner is told when the frames are gone";
}

TEST(Task, CancelIsAResultAndTheTaskGoesOn) {
  Frames frames;
  Ring ring;
  Pipe pipe;
  bool gone = false;
  bool inner_gone = false;
  int resumed = 0;
  Owner owner;
  Task task = outer(frames.pool, ring, pipe.read_end, gone, inner_gone, resumed);
  task.start<&Owner::on_end>(owner);
  task.cancel();
  task.cancel();
  run_until(ring, [&] { return task.done(); });
  EXPECT_EQ(task.result(), -ECANCELED);
  EXPECT_EQ(resumed, 1);
  EXPECT_EQ(owner.ends, 1);
  EXPECT_EQ(ring.armed_count(), 0U);
  task.cancel();
}

TEST_F(ReadingTask, CancelledAndThenDestroyedIsJoinedOnce) {
  {
    Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    task.start();
    ring.run_once(0);
    task.cancel();
  }
  EXPECT_EQ(ring.armed_count(), 2U);
  run_until(ring, [&] { return frames.pool.used() == 0; });
  EXPECT_EQ(resumed, 0);
}

TEST_F(ReadingTask, TheOwnerMayDestroyItWhenItHasEnded) {
  Owner owner;
  owner.task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
  owner.task.start<&Owner::on_end_destroy>(owner);
  pipe.write_end.reset();
  run_until(ring, [&] { return owner.ends == 1; });
  EXPECT_EQ(frames.pool.used(), 0U);
  EXPECT_TRUE(gone);
}

TEST_F(ReadingTask, OneTaskMayDestroyAnother) {
  Task victim = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
  victim.start();
  const auto destroy = [](FramePool&, Ring& on, Task& other) -> Task {
    co_await Await<Timer>(on, 1'000'000U);
    other = Task{};
    co_return 0;
  };
  Task task = destroy(frames.pool, ring, victim);
  task.start();
  run_until(ring, [&] { return task.done() && frames.pool.used() == 1; });
  EXPECT_TRUE(gone);
  EXPECT_EQ(resumed, 0);
}

TEST(Task, AThousandInAFewFrames) {
  Frames frames(4);
  Ring ring;
  Pipe pipe;
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    bool gone = false;
    int resumed = 0;
    Task task = read_forever(frames.pool, ring, pipe.read_end, gone, resumed);
    if (!task) ++refused;
    task.start();
    if (round % 3 == 0) ring.run_once(0);
    task = Task{};
    run_until(ring, [&] { return frames.pool.used() == 0; });
  }
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(ring.armed_count(), 0U);
}

TEST(TaskDeath, ItDoesNotDestroyItself) {
  Frames frames;
  const auto suicide = [](FramePool&, Task& self) -> Task {
    self = Task{};
    co_return 0;
  };
  Task task;
  task = suicide(frames.pool, task);
  EXPECT_DEATH(task.start(), "running_");
}

TEST(TaskDeath, OnceIsEnough) {
  Frames frames;
  Task task = number(frames.pool, 1);
  task.start();
  EXPECT_DEATH(task.start(), "started_");
}

TEST(TaskDeath, NoResultBeforeTheEnd) {
  Frames frames;
  const Task task = number(frames.pool, 1);
  EXPECT_DEATH(static_cast<void>(task.result()), "done");
}

// The rule that the join keeps: a frame freed under an armed operation is stopped at once.
void leave_with_a_read_armed() {
  Frames frames;
  Ring ring;
  Pipe pipe;
  const auto leave = [](FramePool&, Ring& on, Fd& file) -> Task {
    std::array<std::byte, 8> memory{};
    const Await<Read> forgotten(on, file, Read::What{.memory = memory});
    co_return 0;
  };
  Task task = leave(frames.pool, ring, pipe.read_end);
  task.start();
}

TEST(TaskDeath, AFrameWithAnArmedOperationMayNotDie) {
  EXPECT_DEATH(leave_with_a_read_armed(), "armed_");
}

}  // namespace
}  // namespace lab
