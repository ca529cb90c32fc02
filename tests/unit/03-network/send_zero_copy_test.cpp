#include "03-network/lib/send_zero_copy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

TEST(SendZeroCopy, FirstTheResultThenTheNotification) {
  Connected test;
  Recorder<SendZeroCopy> send;
  const auto bytes = pattern(20'000);
  send.operation.start(test.ring, test.pair.slot, bytes, {});
  run_until_count(test.ring, send, 1);
  EXPECT_EQ(send.cqes[0].res, 20'000);
  EXPECT_FALSE(send.cqes[0].notification());
  EXPECT_TRUE(send.cqes[0].more());
  EXPECT_TRUE(send.armed[0]) << "the kernel may still read our memory";
  EXPECT_EQ(receive_all(test.pair.client, 20'000), bytes);
  run_until_disarmed(test.ring, send);
  ASSERT_EQ(send.cqes.size(), 2U);
  EXPECT_TRUE(send.cqes[1].notification());
  EXPECT_FALSE(send.cqes[1].more());
  EXPECT_FALSE(send.armed[1]);
}

// The echo's way of a buffer: received, sent without a copy, and home only after the notification.
class Echo {
 public:
  Echo(Ring& ring, FileSlot slot, BufferRing& buffers)
      : ring_(ring), slot_(slot), buffers_(buffers) {
    receive_.start_once(ring_, slot_, buffers_);
  }
  bool done() const { return done_; }

  std::optional<unsigned> free_at_result;  // buffers, when the first completion came

 private:
  void on_receive(Cqe cqe) noexcept {
    lease_ = buffers_.lease(cqe);
    send_.start(ring_, slot_, lease_.bytes(), {});
  }
  void on_send(Cqe) noexcept {
    if (!free_at_result) free_at_result = buffers_.free();
    if (send_.armed()) return;
    lease_.reset();
    done_ = true;
  }

  Ring& ring_;
  FileSlot slot_;
  BufferRing& buffers_;
  BufferLease lease_;
  bool done_ = false;
  Bind<RecvMultishot, &Echo::on_receive> receive_{*this};
  Bind<SendZeroCopy, &Echo::on_send> send_{*this};
};

TEST(SendZeroCopy, TheLeaseLivesUntilTheNotification) {
  Connected test;
  std::vector<std::byte> memory(2 * 4096);
  BufferRing buffers(test.ring, {.count = 2, .size = 4096}, memory);
  for (std::size_t round = 0; round < 10; ++round) {
    Echo echo(test.ring, test.pair.slot, buffers);
    send_all(test.pair.client, pattern(4096, round));
    run_until(test.ring, [&] { return echo.done(); });
    EXPECT_EQ(receive_all(test.pair.client, 4096), pattern(4096, round));
    EXPECT_EQ(echo.free_at_result, 1U) << "it was still ours when the result came";
    EXPECT_EQ(buffers.free(), 2U);
  }
}

TEST(SendZeroCopy, LoopbackCopies) {
  Connected test;
  Recorder<SendZeroCopy> send;
  const auto bytes = pattern(20'000);
  send.operation.start(test.ring, test.pair.slot, bytes, {.report_usage = true});
  run_until_count(test.ring, send, 1);
  if (send.cqes[0].res == -EINVAL) {
    run_until_disarmed(test.ring, send);
    GTEST_SKIP() << "the usage report came with Linux 6.2";
  }
  EXPECT_EQ(receive_all(test.pair.client, 20'000), bytes);
  run_until_disarmed(test.ring, send);
  ASSERT_EQ(send.cqes.size(), 2U);
  EXPECT_TRUE(SendZeroCopy::copied(send.cqes[1]));
}

TEST(SendZeroCopy, CopiedReadsTheReport) {
  EXPECT_FALSE(SendZeroCopy::copied({.res = 0, .flags = IORING_CQE_F_NOTIF}));
  EXPECT_TRUE(SendZeroCopy::copied({.res = static_cast<std::int32_t>(IORING_NOTIF_USAGE_ZC_COPIED),
                                    .flags = IORING_CQE_F_NOTIF}));
}

TEST(SendZeroCopy, FromARegisteredBuffer) {
  Connected test;
  auto first = pattern(4096, 1), second = pattern(4096, 2);
  const iovec entries[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  ASSERT_EQ(io_uring_register_buffers(test.ring.raw(), entries, 2), 0);
  Recorder<SendZeroCopy> send;
  const std::span part = std::span(second).subspan(100, 1000);
  send.operation.start(test.ring, test.pair.slot, part, {.fixed = true, .buffer_index = 1});
  run_until_disarmed(test.ring, send);
  EXPECT_EQ(send.cqes.at(0).res, 1000);
  EXPECT_EQ(receive_all(test.pair.client, 1000), copy_of(part));

  // The same bytes through the wrong index do not lie in that buffer.
  send.operation.start(test.ring, test.pair.slot, part, {.fixed = true, .buffer_index = 0});
  run_until_disarmed(test.ring, send);
  EXPECT_EQ(send.cqes.at(2).res, -EFAULT);
}

TEST(SendZeroCopy, ManyMayAwaitTheirNotification) {
  Connected test;
  std::array<Recorder<SendZeroCopy>, 8> sends;
  std::array<std::vector<std::byte>, 8> payloads;
  std::vector<std::byte> expected;
  for (std::size_t index = 0; index < sends.size(); ++index) {
    payloads[index] = pattern(3000, index * 3000);
    expected.insert(expected.end(), payloads[index].begin(), payloads[index].end());
    // The next one starts when the result is there: order follows the result.
    sends[index].operation.start(test.ring, test.pair.slot, payloads[index], {});
    run_until_count(test.ring, sends[index], 1);
    ASSERT_EQ(sends[index].cqes[0].res, 3000);
  }
  EXPECT_EQ(receive_all(test.pair.client, expected.size()), expected);
  run_until(test.ring, [&] { return test.ring.armed_count() == 0; });
  for (const auto& send : sends) EXPECT_EQ(send.cqes.size(), 2U);
}

TEST(SendZeroCopy, AFailureIsOverWithoutMore) {
  Connected test;
  reset_connection(test.pair.client);
  Recorder<SendZeroCopy> send;
  const auto bytes = pattern(1000);
  for (const FileSlot slot : {test.pair.slot, FileSlot{15}}) {
    const std::size_t before = send.cqes.size();
    send.operation.start(test.ring, slot, bytes, {});
    run_until_disarmed(test.ring, send);
    EXPECT_LT(send.cqes.at(before).res, 0);
    // Only F_MORE tells whether a notification is due.
    EXPECT_EQ(send.cqes.size() - before, send.cqes[before].more() ? 2U : 1U);
  }
}

TEST(SendZeroCopy, CancelledItTellsHowMuchWentAndStillNotifies) {
  Connected test;
  const auto bytes = pattern(16 << 20);
  Recorder<SendZeroCopy> send;
  Recorder<Cancel> cancel;
  send.operation.start(test.ring, test.pair.slot, bytes, {});
  test.ring.run_once(0);
  ASSERT_TRUE(send.operation.armed()) << "16 MiB went out at once: the test needs more";
  cancel.operation.start(test.ring, send.operation);
  run_until(test.ring, [&] { return !cancel.operation.armed() && !send.cqes.empty(); });
  ASSERT_GT(send.cqes[0].res, 0);
  ASSERT_LT(send.cqes[0].res, 16 << 20);
  const auto sent = static_cast<std::size_t>(send.cqes[0].res);
  const auto received = receive_all(test.pair.client, sent);
  EXPECT_TRUE(std::equal(received.begin(), received.end(), bytes.begin()));
  EXPECT_EQ(received.size(), sent);
  run_until_disarmed(test.ring, send);
  ASSERT_EQ(send.cqes.size(), 2U);
  EXPECT_TRUE(send.cqes[1].notification());
}

}  // namespace
}  // namespace lab
