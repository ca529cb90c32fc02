// How sessions end, and what each end leaves behind: nothing.

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>

#include "06-server/lib/protocol/session/session.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::test {
namespace {

// What a session was told, in words, for the test to look at.
struct Notes {
  std::string text;
  void add(SessionResult result) {
    constexpr std::array words{"ok ", "too-long ", "timeout ", "drain ", "end ", "lost "};
    text += words[static_cast<std::size_t>(result)];
  }
};

// Says when what it lies in is destroyed.
struct Witness {
  explicit Witness(Notes& all) : notes(all) {}
  ~Witness() { notes.text += "destroyed"; }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  Notes& notes;
};

// One worker with few frames, and one of its clients.
template <auto Body>
struct Rig {
  using Protocol = Session<Body>;
  explicit Rig(std::uint32_t frames = 4) : shared(SessionOptions{.frames_max = frames}) {
    client.emplace(shared);
  }
  const std::string& notes() const { return shared.state.text; }
  typename Protocol::Shared shared;
  std::optional<TestConnection<Protocol>> client;
};

Task reads(FramePool&, SessionIo& session, Notes& notes) {
  const Witness witness(notes);
  for (;;) {
    const Received got = co_await session.read();
    notes.add(got.result);
    for (const Segment& bytes : got.segments) co_await session.write(text_of(bytes));
  }
}

TEST(SessionEnds, ThePeersEndIsToldOnceAndThenItFinishes) {
  Rig<reads> rig;
  rig.client->feed("hello");
  rig.client->feed_end();
  EXPECT_EQ(rig.notes(), "ok end ") << "code that does not look cannot spin";
  EXPECT_EQ(rig.client->output, "hello");
  EXPECT_EQ(rig.client->io.finished, Finish::close);
  rig.client.reset();
  EXPECT_EQ(rig.notes(), "ok end lost destroyed");
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

TEST(SessionEnds, AHalfClosedPeerGetsItsAnswer) {
  Rig<[](FramePool&, SessionIo& session, Notes&) -> Task {
    while (co_await session.read()) {
    }
    co_await session.sleep(500);
    co_await session.write("late, but here");
    co_return 0;
  }>
      rig;
  rig.client->feed("question");
  rig.client->feed_end();
  EXPECT_FALSE(rig.client->io.finished);
  rig.client->pass(600);
  EXPECT_EQ(rig.client->output, "late, but here");
  EXPECT_EQ(rig.client->io.finished, Finish::close);
}

// The server's idle timeout does not know that it sleeps.
TEST(SessionEnds, TheIdleTimeoutEndsALongSleepWithItsLastWords) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    const Witness witness(notes);
    notes.add(co_await session.sleep(60'000));
    co_await session.write("too long for this server");
    notes.add(co_await session.sleep(60'000));
    co_return 0;
  }>
      rig;
  rig.client->pass(1'000);
  EXPECT_EQ(rig.notes(), "");
  rig.client->wind_up();
  EXPECT_EQ(rig.notes(), "timeout ") << "told once: the next one does not return";
  EXPECT_EQ(rig.client->output, "too long for this server");
  EXPECT_TRUE(rig.client->io.finished);
  rig.client.reset();
  EXPECT_EQ(rig.notes(), "timeout lost destroyed");
  EXPECT_EQ(rig.shared.timers().size(), 0U);
}

TEST(SessionEnds, ALostConnectionIsToldOnceAndTheNextWaitDoesNotReturn) {
  Rig<reads> rig;
  rig.client->feed("hello");
  rig.client.reset();
  EXPECT_EQ(rig.notes(), "ok lost destroyed");
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

TEST(SessionEnds, LostInAnyOtherWait) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    const Witness witness(notes);
    session.deadline(10'000);
    notes.add(co_await session.sleep(60'000));
    session.deadline(1);
    session.finish();
    notes.add(co_await session.write("nobody hears this"));
    co_return 0;
  }>
      rig;
  rig.client.reset();
  EXPECT_EQ(rig.notes(), "lost destroyed");
  EXPECT_EQ(rig.shared.timers().size(), 0U);
}

TEST(SessionEnds, AnExceptionIsAResetAndCounted) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    const Witness witness(notes);
    co_await session.write("half an answer");
    co_await session.read();
    throw std::runtime_error("a bug");
  }>
      rig;
  rig.client->feed("go on");
  EXPECT_TRUE(rig.client->io.was_reset);
  EXPECT_EQ(rig.notes(), "destroyed");
  EXPECT_EQ(rig.shared.counters.threw().get(), 1U);
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

Task throws(FramePool&, SessionIo& session) {
  co_await session.read();
  throw std::runtime_error("within");
}

TEST(SessionEnds, AnExceptionOfATaskReachesWhoeverAwaitsIt) {
  Rig<[](FramePool& frames, SessionIo& session, Notes& notes) -> Task {
    try {
      co_await throws(frames, session);
    } catch (const std::runtime_error& error) {
      notes.text = error.what();
    }
    co_await session.write("caught");
    co_return 0;
  }>
      rig;
  rig.client->feed("go on");
  EXPECT_EQ(rig.notes(), "within");
  EXPECT_EQ(rig.client->output, "caught");
  EXPECT_EQ(rig.shared.counters.threw().get(), 0U);
}

TEST(SessionEnds, WithoutAFrameItIsRefused) {
  Rig<reads> rig(1);
  {
    TestConnection<Session<reads>> second(rig.shared);
    EXPECT_TRUE(second.io.was_reset);
    EXPECT_TRUE(second.protocol().idle());
  }
  EXPECT_EQ(rig.shared.counters.refused().get(), 1U);
  rig.client.reset();
  TestConnection<Session<reads>> third(rig.shared);
  third.feed("welcome");
  EXPECT_EQ(third.output, "welcome");
  EXPECT_EQ(rig.shared.counters.refused().get(), 1U);
}

TEST(SessionEnds, CodeThatNeverWaitsEndsAtOnce) {
  Rig<[](FramePool&, SessionIo& session, Notes&) -> Task {
    co_await session.write("hello and good bye");
    co_return 0;
  }>
      rig;
  rig.client->settle();
  EXPECT_EQ(rig.client->output, "hello and good bye");
  EXPECT_EQ(rig.client->io.finished, Finish::linger);
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

TEST(SessionEnds, CodeWhoseWaitsAreAlwaysOverLetsOthersRun) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    for (;;) {
      notes.text = std::to_string(std::stoi("0" + notes.text) + 1);
      co_await session.flush();
    }
  }>
      rig;
  EXPECT_EQ(rig.notes(), "1001") << "a thousand at once, and one that waits for the next tick";
  rig.client->pass(25);
  EXPECT_EQ(rig.notes(), "2001");
  EXPECT_FALSE(rig.client->protocol().idle());
  rig.client.reset();
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

TEST(SessionEnds, CodeThatForgetsToReadKeepsFewAndMakesThePeerWait) {
  Rig<[](FramePool&, SessionIo& session, Notes&) -> Task {
    for (;;) co_await session.sleep(1000);
  }>
      rig;
  rig.client->feed(std::string(1000, 'x'), 1);
  EXPECT_EQ(rig.client->protocol().leases(), SessionInput::segments_max);
  EXPECT_FALSE(rig.client->io.receiving);
  rig.client->pass(5000);
  EXPECT_EQ(rig.client->protocol().leases(), SessionInput::segments_max);
  rig.client.reset();
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

TEST(SessionEnds, ADeadlineIsToldOnce) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    session.deadline(100);
    notes.add((co_await session.read()).result);
    notes.add((co_await session.read()).result);
    co_await session.write("too slow");
    co_return 0;
  }>
      rig;
  rig.client->pass(100);
  EXPECT_EQ(rig.notes(), "") << "at least so long";
  rig.client->pass(25);
  EXPECT_EQ(rig.notes(), "timeout ");
  rig.client->pass(10'000);
  EXPECT_EQ(rig.notes(), "timeout ");
  rig.client->feed("at last");
  EXPECT_EQ(rig.notes(), "timeout ok ");
  EXPECT_EQ(rig.client->output, "too slow");
}

TEST(SessionEnds, ADeadlineCanBeTakenBack) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    session.deadline(100);
    co_await session.read();
    session.clear_deadline();
    notes.add((co_await session.read()).result);
    co_return 0;
  }>
      rig;
  rig.client->feed("in time");
  rig.client->pass(10'000);
  EXPECT_EQ(rig.notes(), "");
  rig.client->feed("and again");
  EXPECT_EQ(rig.notes(), "ok ");
}

TEST(SessionEnds, ADrainDoesNotCutASleepButShortensOne) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    notes.add(co_await session.sleep(1000));
    notes.add(co_await session.sleep(1000));
    co_await session.write(session.draining() ? "thought about it, and we are closing" : "open");
    notes.add((co_await session.read()).result);
    co_await session.write(", bye");
    co_return 0;
  }>
      rig;
  rig.client->drain();
  EXPECT_EQ(rig.notes(), "drain ");
  EXPECT_FALSE(rig.client->ended()) << "it still thinks";
  EXPECT_FALSE(rig.client->protocol().idle());
  rig.client->pass(1100);
  EXPECT_EQ(rig.client->output, "thought about it, and we are closing");
  ASSERT_TRUE(rig.client->protocol().idle());
  rig.client->wind_up();
  EXPECT_EQ(rig.notes(), "drain ok drain ");
  EXPECT_EQ(rig.client->output, "thought about it, and we are closing, bye");
  EXPECT_EQ(rig.client->io.finished, Finish::close);
}

TEST(SessionEnds, AnIdleTimeoutIsATimeout) {
  Rig<reads> rig;
  rig.client->wind_up();
  EXPECT_EQ(rig.notes(), "timeout ");
  EXPECT_TRUE(rig.client->io.finished);
}

TEST(SessionEnds, FinishAndResetAreItsOwnToSay) {
  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    co_await session.write("the end");
    session.finish(Finish::close);
    notes.add(co_await session.write("after the end"));
    notes.add((co_await session.read()).result);
    co_return 0;
  }>
      rig;
  rig.client->settle();
  EXPECT_EQ(rig.notes(), "end end ");
  EXPECT_EQ(rig.client->output, "the end");
  EXPECT_EQ(rig.client->io.finished, Finish::close);

  Rig<[](FramePool&, SessionIo& session, Notes& notes) -> Task {
    const Witness witness(notes);
    session.reset();
    notes.add((co_await session.read()).result);
    co_return 0;
  }>
      other;
  EXPECT_TRUE(other.client->io.was_reset);
  EXPECT_EQ(other.notes(), "lost destroyed");
  EXPECT_EQ(other.shared.frames().used(), 0U);
}

// Something that a session has with the kernel: a ring's operation without a ring.
class Operation : public TaskOperation {
 public:
  explicit Operation(Operation*& place) noexcept : TaskOperation(&stop) { place = this; }
  bool await_ready() const noexcept { return false; }
  void await_suspend(Task::Frame waiting) noexcept { hold(waiting); }
  void await_resume() const noexcept {}
  void complete() noexcept { let_go(); }
  bool stopped = false;

 private:
  static void stop(TaskOperation& self) noexcept { static_cast<Operation&>(self).stopped = true; }
};

struct OperationNotes : Notes {
  Operation* operation = nullptr;
};
Task operates(FramePool&, SessionIo& session, OperationNotes& notes) {
  const Witness witness(notes);
  co_await Operation(notes.operation);
  co_await session.write("it is done");
  notes.add((co_await session.read()).result);
  co_return 0;
}

TEST(SessionEnds, AnOperationOfItsOwnGoesOnInTheNextHook) {
  Rig<operates> rig;
  EXPECT_FALSE(rig.client->protocol().at_rest());
  EXPECT_FALSE(rig.client->protocol().idle());
  rig.shared.state.operation->complete();  // by its ring, outside of every hook
  EXPECT_EQ(rig.client->output, "");
  rig.client->settle();
  EXPECT_EQ(rig.client->output, "it is done");
  EXPECT_TRUE(rig.client->protocol().at_rest());
}

TEST(SessionEnds, TheFrameLivesUntilItsOperationsHaveEnded) {
  Rig<operates> rig;
  rig.client->io.reset();
  EXPECT_TRUE(rig.shared.state.operation->stopped) << "it is asked to end";
  EXPECT_EQ(rig.notes(), "");
  EXPECT_FALSE(rig.client->protocol().at_rest()) << "so the connection is not freed";
  EXPECT_EQ(rig.shared.frames().used(), 1U);
  rig.client->io.woken = false;
  rig.shared.state.operation->complete();
  EXPECT_EQ(rig.notes(), "destroyed");
  EXPECT_TRUE(rig.client->io.woken) << "the engine looks again";
  EXPECT_TRUE(rig.client->protocol().at_rest());
  EXPECT_EQ(rig.shared.frames().used(), 0U);
}

TEST(SessionEndsDeath, AConnectionIsNotFreedUnderAnOperation) {
  EXPECT_DEATH(
      {
        Rig<operates> rig;
        rig.client.reset();
      },
      "at_rest");
}

}  // namespace
}  // namespace lab::test
