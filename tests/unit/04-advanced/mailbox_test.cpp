#include "04-advanced/lib/mailbox.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <latch>
#include <thread>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

class Receiver {
 public:
  std::vector<std::uint32_t> values;

  static void on_message(Completion& mailbox, Cqe cqe) noexcept {
    static_cast<Inbox&>(mailbox).owner->values.push_back(static_cast<std::uint32_t>(cqe.res));
  }

  struct Inbox : Mailbox {
    explicit Inbox(Receiver& receiver) noexcept : Mailbox(&on_message), owner(&receiver) {}
    Receiver* owner;
  };
  Inbox inbox{*this};
};

// Without a deadline of its own: senders are threads, and a process has one alarm.
int send_message(Ring& from, Ring& to, const Mailbox& mailbox, std::uint32_t value) {
  Recorder<Message> message;
  message.operation.start(from, to.raw()->ring_fd, mailbox, value);
  while (message.operation.armed()) from.run_once();
  return message.cqes.at(0).res;
}

TEST(Mailbox, ReceivesFromAnotherRingInOrder) {
  Ring from, to;
  Receiver receiver;
  const std::vector<std::uint32_t> values{0, 1, 42, 0x7fffffff, 0x80000000, 0xffffffff};
  for (const std::uint32_t value : values) {
    EXPECT_EQ(send_message(from, to, receiver.inbox, value), 0) << value;
  }
  run_until(to, [&] { return receiver.values.size() == values.size(); });
  EXPECT_EQ(receiver.values, values);
}

TEST(Mailbox, IsNeverArmed) {
  Ring from, to;
  Receiver receiver;
  EXPECT_FALSE(receiver.inbox.armed());
  ASSERT_EQ(send_message(from, to, receiver.inbox, 1), 0);
  run_until(to, [&] { return !receiver.values.empty(); });
  EXPECT_FALSE(receiver.inbox.armed());
  EXPECT_EQ(to.armed_count(), 0U);

  // Whatever the flags: a message never ends it, and never makes it wait for more.
  to.deliver(receiver.inbox, {.res = 2, .flags = IORING_CQE_F_MORE});
  to.deliver(receiver.inbox, {.res = 3, .flags = 0});
  EXPECT_EQ(receiver.values, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(to.armed_count(), 0U);
}

TEST(Mailbox, TwoOnOneRingAreToldApart) {
  Ring from, to;
  Receiver first, second;
  ASSERT_EQ(send_message(from, to, first.inbox, 1), 0);
  ASSERT_EQ(send_message(from, to, second.inbox, 2), 0);
  ASSERT_EQ(send_message(from, to, first.inbox, 3), 0);
  run_until(to, [&] { return first.values.size() + second.values.size() == 3; });
  EXPECT_EQ(first.values, (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(second.values, (std::vector<std::uint32_t>{2}));
}

TEST(Mailbox, AFullCompletionQueueLosesNothingSilently) {
  Ring from;
  Ring to({.sq_entries = 8, .cq_entries = 8});
  Receiver receiver;
  std::size_t delivered = 0;
  for (std::uint32_t value = 0; value < 32; ++value) {
    const int res = send_message(from, to, receiver.inbox, value);
    EXPECT_TRUE(res == 0 || res == -EOVERFLOW) << res;
    if (res == 0) ++delivered;
  }
  EXPECT_GE(delivered, 8U);
  run_until(to, [&] { return receiver.values.size() == delivered; });
  EXPECT_EQ(to.run_once(0), 0U);
  EXPECT_TRUE(std::is_sorted(receiver.values.begin(), receiver.values.end()));
}

TEST(Message, ARingThatIsNotEnabledRefuses) {
  Ring from;
  Ring to({.sq_entries = 8, .disabled = true});
  Receiver receiver;
  EXPECT_EQ(send_message(from, to, receiver.inbox, 1), -EBADFD);
}

TEST(Message, AFileThatIsNoRingRefuses) {
  Ring from;
  Receiver receiver;
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Recorder<Message> message;
  message.operation.start(from, socket.get(), receiver.inbox, 1);
  run_until_disarmed(from, message);
  EXPECT_EQ(message.cqes.at(0).res, -EBADFD);
}

TEST(Mailbox, ThreadsPostToOneRing) {
  constexpr std::uint32_t senders = 4, messages = 500;
  Ring to({.sq_entries = 8, .cq_entries = 4096});
  Receiver receiver;
  std::atomic<std::uint32_t> failures{0};
  // No ring goes before all are done: ThreadSanitizer does not see liburing's mmap, and would take
  // a new ring at an old one's address for a race.
  std::latch done(senders);
  std::vector<std::thread> threads;
  for (std::uint32_t sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&, sender] {
      Ring from;  // made by the thread that uses it
      for (std::uint32_t message = 0; message < messages; ++message) {
        if (send_message(from, to, receiver.inbox, sender * messages + message) != 0) ++failures;
      }
      done.arrive_and_wait();
    });
  }
  run_until(to, [&] { return receiver.values.size() == std::size_t{senders} * messages; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0U);

  std::vector<std::uint32_t> next(senders);
  for (const std::uint32_t value : receiver.values) {
    ASSERT_LT(value / messages, senders);
    EXPECT_EQ(value % messages, next[value / messages]++) << "each sender's order is kept";
  }
}

TEST(MailboxDeathTest, CannotBeArmed) {
  EXPECT_DEATH(
      {
        Ring ring;
        Receiver receiver;
        arm_nop(ring, receiver.inbox);
      },
      "LAB_ASSERT\\(!completion.standing_\\)");
}

}  // namespace
}  // namespace lab
