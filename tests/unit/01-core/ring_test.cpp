#include "01-core/lib/ring.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "tests/refuse_calls.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

// No-ops that write down in which order they complete.
class Sequence {
 public:
  void arm(Ring& ring, unsigned flags = 0) {
    steps_.emplace_back(*this, static_cast<int>(steps_.size()));
    arm_nop(ring, steps_.back().operation_, flags);
  }

  // Like arm(), but the operation fails.
  void arm_failing(Ring& ring, unsigned flags = 0) {
    steps_.emplace_back(*this, static_cast<int>(steps_.size()));
    io_uring_sqe* sqe = ring.sqe();
    prepare_failing(sqe);
    sqe->flags |= static_cast<std::uint8_t>(flags);
    ring.arm(sqe, steps_.back().operation_);
  }

  // What number `position` brought. REQUIRES: it has come.
  int result_of(int position) const {
    const auto place = std::find(order.begin(), order.end(), position);
    return results.at(static_cast<std::size_t>(place - order.begin()));
  }

  // True when each came once, in the order of arming.
  bool in_order() const {
    return order.size() == steps_.size() && std::is_sorted(order.begin(), order.end()) &&
           std::adjacent_find(order.begin(), order.end()) == order.end();
  }

  std::vector<int> order;
  std::vector<int> results;

 private:
  struct Step {
    Step(Sequence& owner, int position) : owner_(owner), position_(position) {}
    void on_operation(Cqe cqe) noexcept {
      owner_.order.push_back(position_);
      owner_.results.push_back(cqe.res);
    }
    Sequence& owner_;
    int position_;
    Bind<Completion, &Step::on_operation> operation_{*this};
  };

  std::deque<Step> steps_;  // a vector would move what the kernel points to
};

TEST(Ring, HasTheFlagsItPromises) {
  const Ring ring;
  constexpr unsigned promised =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  EXPECT_EQ(ring.setup_flags() & promised, promised);
  EXPECT_EQ(ring.setup_flags() & IORING_SETUP_SQPOLL, 0U);
}

TEST(Ring, HasTheEntriesAskedFor) {
  Ring by_default({.sq_entries = 16});
  EXPECT_EQ(by_default.raw()->sq.ring_entries, 16U);
  EXPECT_EQ(by_default.raw()->cq.ring_entries, 32U);
  Ring large({.sq_entries = 8, .cq_entries = 1024});
  EXPECT_EQ(large.raw()->sq.ring_entries, 8U);
  EXPECT_EQ(large.raw()->cq.ring_entries, 1024U);
}

TEST(Ring, ThrowsWhenTheKernelRefuses) {
  try {
    Ring ring({.sq_entries = 65536});
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("io_uring_setup"), std::string::npos);
  }
}

TEST(Ring, DeliversInOrderWithOneSystemCall) {
  Ring ring;
  Sequence sequence;
  for (int count = 0; count < 10; ++count) sequence.arm(ring);
  EXPECT_EQ(ring.armed_count(), 10U);
  EXPECT_EQ(ring.counters().enters, 0U) << "arming only queues";

  EXPECT_EQ(ring.run_once(10), 10U);
  EXPECT_TRUE(sequence.in_order());
  EXPECT_EQ(ring.armed_count(), 0U);
  EXPECT_EQ(ring.counters().enters, 1U);
  EXPECT_EQ(ring.counters().submitted, 10U);
  EXPECT_EQ(ring.counters().completions, 10U);
  EXPECT_EQ(ring.counters().overflows, 0U);
}

TEST(Ring, DoesNotWaitWhenToldSo) {
  Ring ring;
  EXPECT_EQ(ring.run_once(0), 0U);
  EXPECT_EQ(ring.counters().enters, 1U);
}

TEST(Ring, KnowsTheTimeOfTheLatestReturn) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(time.tv_nsec);
  };
  const std::uint64_t before = now();
  Ring ring;
  EXPECT_GE(ring.now_ns(), before) << "known before the first call too";
  const std::uint64_t between = now();
  EXPECT_LE(ring.now_ns(), between);
  ring.run_once(0);
  EXPECT_GE(ring.now_ns(), between);
  EXPECT_LE(ring.now_ns(), now());
}

TEST(Ring, OnlyTheCqeWithoutMoreDisarms) {
  Ring ring({.sq_entries = 8, .disabled = true});
  Recorder<> multishot;
  arm_nop(ring, multishot.operation);
  ring.deliver(multishot.operation, {.res = 1, .flags = IORING_CQE_F_MORE});
  ring.deliver(multishot.operation, {.res = -EAGAIN, .flags = IORING_CQE_F_MORE});
  EXPECT_TRUE(multishot.operation.armed()) << "an error with F_MORE is not the end";
  EXPECT_EQ(ring.armed_count(), 1U);
  ring.deliver(multishot.operation, {.res = 3, .flags = 0});
  EXPECT_FALSE(multishot.operation.armed()) << "data without F_MORE is the end";
  EXPECT_EQ(ring.armed_count(), 0U);

  ASSERT_EQ(multishot.cqes.size(), 3U);
  EXPECT_EQ(multishot.cqes[0].res, 1);
  EXPECT_EQ(multishot.cqes[1].res, -EAGAIN);
  EXPECT_EQ(multishot.cqes[2].res, 3);
  EXPECT_EQ(multishot.armed, (std::vector{true, true, false}));
}

// Counts to its goal, each step armed by the handler of the one before.
class Chain {
 public:
  Chain(Ring& ring, int goal) : ring_(ring), left_(goal) { arm_nop(ring_, step_); }
  void on_step(Cqe) noexcept {
    if (--left_ > 0) arm_nop(ring_, step_);
  }
  int left() const { return left_; }

 private:
  Ring& ring_;
  int left_;
  Bind<Completion, &Chain::on_step> step_{*this};
};

TEST(Ring, AHandlerMayArmAgainAtOnce) {
  Ring ring({.sq_entries = 4});
  Chain first(ring, 100), second(ring, 50);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(first.left(), 0);
  EXPECT_EQ(second.left(), 0);
  EXPECT_EQ(ring.counters().completions, 150U);
  EXPECT_LE(ring.counters().enters, 100U) << "what handlers queue goes out with the next wait";
}

TEST(Ring, AFullQueueGoesOutAndNothingIsLost) {
  Ring ring({.sq_entries = 8, .cq_entries = 256});
  Sequence sequence;
  for (int count = 0; count < 200; ++count) sequence.arm(ring);
  EXPECT_GT(ring.counters().enters, 0U);
  EXPECT_TRUE(sequence.order.empty()) << "sqe() submits, it never runs a handler";
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_TRUE(sequence.in_order());
  EXPECT_EQ(ring.counters().submitted, 200U);
  EXPECT_EQ(ring.counters().overflows, 0U);
}

TEST(Ring, ABatchMayBeLargerThanTheCopy) {
  Ring ring({.sq_entries = 256});
  Sequence sequence;
  for (int count = 0; count < 200; ++count) sequence.arm(ring);
  EXPECT_EQ(ring.run_once(200), 200U) << "drained in portions of 64, but drained";
  EXPECT_TRUE(sequence.in_order());
  EXPECT_EQ(ring.counters().enters, 1U);
}

TEST(Ring, AnOverflowIsCountedAndNothingIsLost) {
  Ring ring({.sq_entries = 8, .cq_entries = 8});
  Sequence sequence;
  for (int count = 0; count < 32; ++count) sequence.arm(ring);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_TRUE(sequence.in_order());
  EXPECT_GT(ring.counters().overflows, 0U);
  EXPECT_EQ(ring.counters().completions, 32U);

  const std::uint64_t overflows = ring.counters().overflows;
  sequence.arm(ring);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(ring.counters().overflows, overflows) << "it is over when it is over";
}

// The first of two linked operations fails. The second is cancelled with it, unless a flush between
// them cut the chain: then it runs.
int second_of_a_link(bool reserved) {
  Ring ring({.sq_entries = 8, .cq_entries = 64});
  Sequence sequence;
  for (int count = 0; count < 7; ++count) sequence.arm(ring);
  if (reserved) ring.reserve(2);
  sequence.arm_failing(ring, IOSQE_IO_LINK);
  sequence.arm(ring);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(sequence.order.size(), 9U);
  // Not by order of arrival: a link that is left open goes to a worker thread.
  EXPECT_EQ(sequence.result_of(7), -EBADF);
  return sequence.result_of(8);
}

TEST(Ring, ReserveKeepsALinkWhole) {
  EXPECT_EQ(second_of_a_link(true), -ECANCELED);
  EXPECT_EQ(second_of_a_link(false), 0) << "this test would not notice a broken reserve()";
}

TEST(Ring, ReserveSubmitsOnlyWhenItMust) {
  Ring ring({.sq_entries = 8});
  Sequence sequence;
  ring.reserve(8);
  for (int count = 0; count < 3; ++count) sequence.arm(ring);
  ring.reserve(5);
  EXPECT_EQ(ring.counters().enters, 0U);
  ring.reserve(6);
  EXPECT_EQ(ring.counters().enters, 1U);
  EXPECT_EQ(ring.counters().submitted, 3U);
  run_until(ring, [&] { return ring.armed_count() == 0; });
}

TEST(Ring, UnownedFailuresAreCounted) {
  Ring ring;
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_nop(sqe);
  ring.submit_unowned(sqe);
  EXPECT_EQ(ring.armed_count(), 0U);
  EXPECT_EQ(ring.run_once(1), 1U);
  EXPECT_EQ(ring.counters().unowned_errors, 0U);

  for (int count = 0; count < 2; ++count) {
    sqe = ring.sqe();
    prepare_failing(sqe);
    ring.submit_unowned(sqe);
  }
  EXPECT_EQ(ring.run_once(2), 2U);
  EXPECT_EQ(ring.counters().unowned_errors, 2U);
}

TEST(Ring, UnownedMaySkipItsSuccess) {
  Ring ring;
  io_uring_sqe* sqe = ring.sqe();
  io_uring_prep_nop(sqe);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  ring.submit_unowned(sqe);
  sqe = ring.sqe();
  prepare_failing(sqe);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  ring.submit_unowned(sqe);
  EXPECT_EQ(ring.run_once(1), 1U) << "the success is silent, the failure is not";
  EXPECT_EQ(ring.counters().unowned_errors, 1U);
}

TEST(Ring, SqpollDeliversAll) {
  std::unique_ptr<Ring> ring;
  try {
    ring = std::make_unique<Ring>(RingOptions{.sq_entries = 8, .cq_entries = 256, .sqpoll = true});
  } catch (const std::system_error& error) {
    GTEST_SKIP() << "no SQPOLL here: " << error.what();
  }
  EXPECT_NE(ring->setup_flags() & IORING_SETUP_SQPOLL, 0U);
  EXPECT_EQ(ring->setup_flags() & IORING_SETUP_DEFER_TASKRUN, 0U);
  Sequence sequence;
  for (int count = 0; count < 200; ++count) sequence.arm(*ring);
  run_until(*ring, [&] { return ring->armed_count() == 0; });
  EXPECT_TRUE(sequence.in_order());

  // The thread goes to sleep after its idle time, and only a wake-up makes it look again.
  {
    const Deadline deadline;
    std::atomic_ref<unsigned> flags(*ring->raw()->sq.kflags);
    while ((flags.load() & IORING_SQ_NEED_WAKEUP) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  sequence.arm(*ring);
  run_until(*ring, [&] { return ring->armed_count() == 0; });
  EXPECT_TRUE(sequence.in_order());
}

// NOPs are all that such a ring takes besides direct reads and writes of a device that can be
// polled.
TEST(Ring, IopollDeliversAllAndRefusesOtherOperations) {
  Ring ring({.sq_entries = 8, .cq_entries = 256, .iopoll = true});
  EXPECT_NE(ring.setup_flags() & IORING_SETUP_IOPOLL, 0U);
  Sequence sequence;
  for (int count = 0; count < 100; ++count) sequence.arm(ring);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_TRUE(sequence.in_order());
  sequence.arm_failing(ring);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(sequence.result_of(100), -EINVAL);
  EXPECT_EQ(Ring().setup_flags() & IORING_SETUP_IOPOLL, 0U);
}

// Stands in the kernel's place: takes what is queued and answers in reverse order, one by one.
class BackwardKernel {
 public:
  Kernel kernel() { return {.enter = &enter, .now_ns = &now, .context = this}; }

  std::uint64_t time = 1000;
  std::deque<int> refusals;  // what the next calls return, without taking anything
  unsigned calls = 0, latest_to_submit = 0, latest_wait_for = 0;

 private:
  static int enter(void* context, Ring& ring, unsigned to_submit, unsigned wait_for) noexcept {
    auto& self = *static_cast<BackwardKernel*>(context);
    ++self.calls;
    self.latest_to_submit = to_submit;
    self.latest_wait_for = wait_for;
    self.time += 10;
    if (!self.refusals.empty()) {
      const int refusal = self.refusals.front();
      self.refusals.pop_front();
      return refusal;
    }
    auto& sq = ring.raw()->sq;
    auto& cq = ring.raw()->cq;
    for (unsigned count = to_submit; count > 0; --count) {
      const io_uring_sqe& sqe = sq.sqes[(*sq.khead + count - 1) & sq.ring_mask];
      io_uring_cqe& cqe = cq.cqes[*cq.ktail & cq.ring_mask];
      cqe.user_data = sqe.user_data;
      cqe.res = static_cast<int>(count);
      cqe.flags = 0;
      ++*cq.ktail;
    }
    *sq.khead += to_submit;
    return static_cast<int>(to_submit);
  }
  static std::uint64_t now(void* context) noexcept {
    return static_cast<BackwardKernel*>(context)->time;
  }
};

TEST(Ring, AModelMayStandInTheKernelsPlace) {
  Ring ring({.sq_entries = 8, .disabled = true});
  BackwardKernel model;
  ring.replace_kernel(model.kernel());
  EXPECT_EQ(ring.now_ns(), 1000U);

  Sequence sequence;
  for (int count = 0; count < 3; ++count) sequence.arm(ring);
  EXPECT_EQ(ring.run_once(2), 3U);
  EXPECT_EQ(model.latest_to_submit, 3U);
  EXPECT_EQ(model.latest_wait_for, 2U);
  EXPECT_EQ(sequence.order, (std::vector{2, 1, 0}));
  EXPECT_EQ(sequence.results, (std::vector{3, 2, 1}));
  EXPECT_EQ(ring.now_ns(), 1010U);
  EXPECT_EQ(ring.counters().submitted, 3U);
}

TEST(Ring, TheQueuesWrapAround) {
  Ring ring({.sq_entries = 4, .cq_entries = 8, .disabled = true});
  BackwardKernel model;
  ring.replace_kernel(model.kernel());
  Sequence sequence;
  for (int round = 0; round < 20; ++round) {
    for (int count = 0; count < 3; ++count) sequence.arm(ring);
    ASSERT_EQ(ring.run_once(3), 3U) << "round " << round;
    const std::vector<int> latest(sequence.order.end() - 3, sequence.order.end());
    ASSERT_EQ(latest, (std::vector{round * 3 + 2, round * 3 + 1, round * 3}));
  }
}

TEST(Ring, WhatARefusedCallDidNotTakeGoesWithTheNext) {
  for (const int refusal : {-EINTR, -EAGAIN, -EBUSY, -ETIME}) {
    Ring ring({.sq_entries = 8, .disabled = true});
    BackwardKernel model;
    ring.replace_kernel(model.kernel());
    Sequence sequence;
    sequence.arm(ring);
    model.refusals = {refusal, refusal};
    EXPECT_EQ(ring.run_once(1), 0U);
    EXPECT_EQ(ring.run_once(1), 0U);
    EXPECT_EQ(ring.counters().submitted, 0U);
    sequence.arm(ring);
    EXPECT_EQ(ring.run_once(1), 2U);
    EXPECT_EQ(model.latest_to_submit, 2U);
    EXPECT_EQ(ring.counters().enters, 3U);
    EXPECT_EQ(ring.counters().submitted, 2U);
  }
}

TEST(Ring, AFullQueueIsOfferedUntilTheKernelTakesIt) {
  Ring ring({.sq_entries = 4, .cq_entries = 16, .disabled = true});
  BackwardKernel model;
  ring.replace_kernel(model.kernel());
  Sequence sequence;
  for (int count = 0; count < 4; ++count) sequence.arm(ring);
  model.refusals = {-EAGAIN, -EBUSY};
  sequence.arm(ring);
  EXPECT_EQ(model.calls, 3U);
  EXPECT_EQ(model.latest_wait_for, 0U);
  EXPECT_EQ(ring.run_once(0), 5U);
}

TEST(RingDeathTest, ArmedTwice) {
  EXPECT_DEATH(
      {
        Ring ring;
        Recorder<> recorder;
        arm_nop(ring, recorder.operation);
        arm_nop(ring, recorder.operation);
      },
      "LAB_ASSERT\\(!completion.armed_\\)");
}

TEST(RingDeathTest, ArmedWithSkippedSuccess) {
  EXPECT_DEATH(
      {
        Ring ring;
        Recorder<> recorder;
        arm_nop(ring, recorder.operation, IOSQE_CQE_SKIP_SUCCESS);
      },
      "IOSQE_CQE_SKIP_SUCCESS");
}

TEST(RingDeathTest, DeadWithSomethingArmed) {
  EXPECT_DEATH(
      {
        auto ring = std::make_unique<Ring>();
        Recorder<> recorder;
        arm_nop(*ring, recorder.operation);
        ring.reset();
      },
      "LAB_ASSERT\\(armed_count_ == 0\\)");
}

TEST(RingDeathTest, ALastCqeForWhatIsNotArmed) {
  EXPECT_DEATH(
      {
        Ring ring({.sq_entries = 8, .disabled = true});
        Recorder<> recorder;
        ring.deliver(recorder.operation, {.res = 0, .flags = 0});
      },
      "LAB_ASSERT\\(completion.armed_\\)");
}

TEST(RingDeathTest, ReservingMoreThanThereIs) {
  EXPECT_DEATH(
      {
        Ring ring({.sq_entries = 8});
        ring.reserve(9);
      },
      "LAB_ASSERT\\(count <= ");
}

TEST(RingDeathTest, AModelForARingInUse) {
  EXPECT_DEATH(
      {
        Ring ring({.sq_entries = 8, .disabled = true});
        Recorder<> recorder;
        arm_nop(ring, recorder.operation);
        BackwardKernel model;
        ring.replace_kernel(model.kernel());
      },
      "LAB_ASSERT\\(armed_count_ == 0\\)");
}

TEST(RingDeathTest, ABrokenRingStops) {
  EXPECT_DEATH(
      {
        Ring ring({.sq_entries = 8, .disabled = true});  // never enabled: -EBADFD
        ring.run_once(0);
        Recorder<> recorder;
        arm_nop(ring, recorder.operation);
        ring.run_once(0);
      },
      "LAB_ASSERT\\(refused");
}

// A profile that allows the set-up alone: thrown where it can be thrown.
TEST(RingRefusedDeathTest, IsAnExceptionWhenItIsMade) {
  for (const int error : {EPERM, EACCES, ENOSYS}) {
    EXPECT_EXIT(
        {
          refuse_calls({SYS_io_uring_enter}, static_cast<unsigned>(error));
          try {
            const Ring ring;
          } catch (const std::system_error& thrown) {
            std::fputs(thrown.what(), stderr);
            _exit(thrown.code().value() == error ? 7 : 8);
          }
          _exit(9);
        },
        testing::ExitedWithCode(7), "io_uring_enter .*Cure: ");
  }
}

TEST(RingRefusedDeathTest, InTheMiddleOfARunIsAnEndAndNoBug) {
  EXPECT_EXIT(
      {
        Ring ring;
        refuse_calls({SYS_io_uring_enter}, EPERM);
        ring.run_once(0);
      },
      testing::ExitedWithCode(1),
      "^io_uring_enter: Operation not permitted: the ring cannot go on");
}

}  // namespace
}  // namespace lab
