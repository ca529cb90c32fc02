// What the seam promises a protocol about the order of its hooks, where no shipped protocol shows
// it.

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "06-server/lib/protocol/protocol.hpp"
#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

/// Ends at the first bytes, in one way or the other, and counts what it is told after that.
template <bool Buffers, bool Reset>
struct EndsAtOnce : ProtocolDefaults {
  struct Shared {
    std::atomic<unsigned>* told_after = nullptr;
  };
  static constexpr bool uses_buffers = Buffers;

  explicit EndsAtOnce(Shared& common) noexcept : shared(common) {}
  void on_bytes(auto& io, Segment) noexcept {
    if (ended) {
      ++*shared.told_after;
      return;
    }
    ended = true;
    if constexpr (Reset) {
      io.reset();
    } else {
      io.finish(Finish::close);
    }
  }
  void on_end(auto&) noexcept { *shared.told_after += ended ? 1 : 0; }

  Shared& shared;
  bool ended = false;
};

// More segments than one come in one turn: one burst fills many small buffers.
template <bool Buffers, bool Reset>
void expect_silence_after_the_end() {
  using Ends = EndsAtOnce<Buffers, Reset>;
  WorkerOptions options = ProtocolThread<Ends>::small();
  options.buffer_size = 64;
  std::atomic<unsigned> told_after = 0;
  ProtocolThread<Ends> worker(options, all_features(), &Worker<Ends>::run, {&told_after});
  for (unsigned round = 0; round < 20; ++round) {
    Stream client = connect_to(worker.port());
    client.send(2000, soon());
    client.finish();
    ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) == round + 1; }));
  }
  EXPECT_TRUE(worker.finish());
  // What comes after a reset is not counted where it is not kept.
  if (Buffers || !Reset) {
    EXPECT_GT(worker.stat(Stat::receives), 20U) << "nothing was tried";
  }
  EXPECT_EQ(told_after, 0U);
}

TEST(Seam, NoBytesAfterFinish) { expect_silence_after_the_end<false, false>(); }
TEST(Seam, NoBytesAfterFinishWithBuffers) { expect_silence_after_the_end<true, false>(); }
TEST(Seam, NoBytesAfterReset) { expect_silence_after_the_end<false, true>(); }
TEST(Seam, NoBytesAfterResetWithBuffers) { expect_silence_after_the_end<true, true>(); }

}  // namespace
}  // namespace lab
