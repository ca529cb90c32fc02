#include "03-network/lib/lease_queue.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <utility>
#include <vector>

#include "tests/unit/support.hpp"

namespace lab {
namespace {

// Leases without a socket: the ring is never enabled, and the CQEs are written by hand.
class Source {
 public:
  static constexpr unsigned buffers_max = 64, buffer_size = 64;

  // The buffer that a kernel would fill next. REQUIRES: one is at home.
  unsigned next() const {
    const auto* entries = reinterpret_cast<const io_uring_buf*>(buffers.entries());
    return entries[taken_ % buffers_max].bid;
  }

  // A lease of the next bytes of an endless pattern. REQUIRES: buffer `id` is next().
  BufferLease lease(unsigned id, std::uint32_t length) {
    BufferLease lease =
        buffers.lease({.res = static_cast<std::int32_t>(length),
                       .flags = IORING_CQE_F_BUFFER | (id << IORING_CQE_BUFFER_SHIFT)});
    std::ranges::copy(pattern(length, produced_), lease.bytes().begin());
    produced_ += length;
    ++taken_;
    return lease;
  }

 private:
  Ring ring_{{.sq_entries = 8, .disabled = true}};
  std::vector<std::byte> memory_{buffers_max * buffer_size};
  std::size_t produced_ = 0;
  unsigned taken_ = 0;

 public:
  BufferRing buffers{ring_, {.count = buffers_max, .size = buffer_size}, memory_};
};

// What a sendmsg of the whole queue would send.
std::vector<std::byte> content(const LeaseQueue& queue) {
  std::array<iovec, 256> entries;
  std::uint32_t bytes = 0;
  const unsigned count = queue.gather(entries, bytes);
  std::vector<std::byte> result;
  for (unsigned index = 0; index < count; ++index) {
    const auto* start = static_cast<const std::byte*>(entries[index].iov_base);
    result.insert(result.end(), start, start + entries[index].iov_len);
  }
  EXPECT_EQ(result.size(), bytes);
  return result;
}

TEST(LeaseQueue, BeginsEmpty) {
  LeasePool pool(4);
  const LeaseQueue queue(pool);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.count(), 0U);
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_TRUE(content(queue).empty());
}

TEST(LeaseQueue, FirstInFirstOut) {
  Source source;
  LeasePool pool(4);
  LeaseQueue queue(pool);
  for (unsigned id = 0; id < 3; ++id) queue.push(source.lease(id, 10 + id));
  EXPECT_EQ(queue.count(), 3U);
  EXPECT_EQ(queue.bytes(), 33U);
  EXPECT_EQ(content(queue), pattern(33));
  EXPECT_EQ(queue.front().id(), BufferId{0});
  for (unsigned id = 0; id < 3; ++id) {
    const BufferLease lease = queue.pop();
    EXPECT_EQ(lease.id(), static_cast<BufferId>(id));
    EXPECT_EQ(lease.size(), 10 + id);
    EXPECT_EQ(source.buffers.free(), Source::buffers_max - 3 + id) << "popped, not yet home";
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_EQ(source.buffers.free(), Source::buffers_max);
}

TEST(LeaseQueue, ConsumeCutsTheFirstLease) {
  Source source;
  LeasePool pool(4);
  LeaseQueue queue(pool);
  queue.push(source.lease(0, 10));
  queue.push(source.lease(1, 10));
  queue.consume(4);
  EXPECT_EQ(queue.count(), 2U);
  EXPECT_EQ(queue.bytes(), 16U);
  EXPECT_EQ(content(queue), pattern(16, 4));
  queue.consume(0);
  EXPECT_EQ(queue.bytes(), 16U);
  queue.consume(6);
  EXPECT_EQ(queue.count(), 1U) << "a lease of which nothing is left goes home";
  EXPECT_EQ(source.buffers.free(), Source::buffers_max - 1);
  EXPECT_EQ(content(queue), pattern(10, 10));
  queue.consume(10);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(source.buffers.free(), Source::buffers_max);
}

TEST(LeaseQueue, PushFrontGoesOutFirst) {
  Source source;
  LeasePool pool(4);
  LeaseQueue queue(pool);
  BufferLease whole = source.lease(0, 10);
  queue.push(source.lease(1, 5));
  queue.push_front(whole.rest_after(7));  // seven of ten were sent
  EXPECT_EQ(queue.bytes(), 8U);
  EXPECT_EQ(content(queue), pattern(8, 7));

  queue.clear();
  EXPECT_TRUE(queue.empty());
  queue.push_front(source.lease(2, 3));
  queue.push(source.lease(3, 4));
  EXPECT_EQ(queue.count(), 2U) << "on an empty queue it is the last one too";
  EXPECT_EQ(content(queue), pattern(7, 15));
}

TEST(LeaseQueue, GatherStopsAtItsRoom) {
  Source source;
  LeasePool pool(8);
  LeaseQueue queue(pool);
  for (unsigned id = 0; id < 6; ++id) queue.push(source.lease(id, 10));
  std::array<iovec, 4> entries;
  std::uint32_t bytes = 0;
  EXPECT_EQ(queue.gather(entries, bytes), 4U);
  EXPECT_EQ(bytes, 40U);
  EXPECT_EQ(queue.gather({}, bytes), 0U);
  EXPECT_EQ(bytes, 0U);
  EXPECT_EQ(queue.bytes(), 60U) << "nothing is taken out";
}

TEST(LeaseQueue, ItsEndSendsTheLeasesHome) {
  Source source;
  LeasePool pool(8);
  {
    LeaseQueue queue(pool);
    for (unsigned id = 0; id < 6; ++id) queue.push(source.lease(id, 10));
    EXPECT_EQ(source.buffers.free(), Source::buffers_max - 6);
  }
  EXPECT_EQ(source.buffers.free(), Source::buffers_max);
}

TEST(LeaseQueue, QueuesShareAPool) {
  Source source;
  LeasePool pool(3);
  LeaseQueue first(pool), second(pool);
  for (unsigned round = 0; round < 10; ++round) {
    first.push(source.lease(source.next(), 1));
    second.push(source.lease(source.next(), 2));
    first.push(source.lease(source.next(), 3));
    second.push(first.pop());
    EXPECT_EQ(first.bytes(), 3U);
    EXPECT_EQ(second.bytes(), 3U);
    first.clear();
    second.clear();
  }
}

// Against a list of bytes: whatever is pushed, cut and popped, the queue is what is left to send.
TEST(LeaseQueue, RandomUseAgainstAModel) {
  struct Piece {
    unsigned id;
    std::uint32_t length;
  };
  std::mt19937 random(12345);
  const auto below = [&](std::size_t limit) {
    return static_cast<std::uint32_t>(random() % limit);
  };
  Source source;
  LeasePool pool(Source::buffers_max);
  LeaseQueue queue(pool);
  std::deque<std::byte> model;
  std::deque<Piece> pieces;
  unsigned home = Source::buffers_max;

  for (int step = 0; step < 20'000; ++step) {
    const unsigned action = below(8);
    if (action < 4 && home > 0) {
      const unsigned id = source.next();
      --home;
      const std::uint32_t length = 1 + below(Source::buffer_size);
      BufferLease lease = source.lease(id, length);
      const auto bytes = copy_of(lease.bytes());
      if (action < 3) {
        model.insert(model.end(), bytes.begin(), bytes.end());
        pieces.push_back({id, length});
        queue.push(std::move(lease));
      } else {
        model.insert(model.begin(), bytes.begin(), bytes.end());
        pieces.push_front({id, length});
        queue.push_front(std::move(lease));
      }
    } else if (action < 6 && !pieces.empty()) {
      // Mostly a partial send, now and then all that is there.
      const std::uint32_t sent = below(4) == 0 ? queue.bytes() : below(queue.bytes() + 1);
      queue.consume(sent);
      model.erase(model.begin(), model.begin() + sent);
      std::uint32_t left = sent;
      while (!pieces.empty() && left >= pieces.front().length) {
        left -= pieces.front().length;
        ++home;
        pieces.pop_front();
      }
      if (left > 0) pieces.front().length -= left;
    } else if (action == 6 && !pieces.empty()) {
      const BufferLease lease = queue.pop();
      ASSERT_EQ(lease.size(), pieces.front().length);
      ASSERT_EQ(lease.id(), static_cast<BufferId>(pieces.front().id));
      ASSERT_TRUE(std::ranges::equal(
          lease.bytes(), std::ranges::subrange(model.begin(), model.begin() + lease.size())));
      model.erase(model.begin(), model.begin() + lease.size());
      ++home;
      pieces.pop_front();
    } else if (action == 7 && below(50) == 0) {
      queue.clear();
      model.clear();
      home += static_cast<unsigned>(pieces.size());
      pieces.clear();
    }
    ASSERT_EQ(queue.bytes(), model.size()) << "step " << step;
    ASSERT_EQ(queue.count(), pieces.size()) << "step " << step;
    ASSERT_EQ(queue.empty(), pieces.empty()) << "step " << step;
    ASSERT_EQ(source.buffers.free(), home) << "step " << step;
    ASSERT_TRUE(std::ranges::equal(content(queue), model)) << "step " << step;
  }
}

TEST(LeaseQueueDeathTest, ThePoolHasItsSize) {
  EXPECT_DEATH(
      {
        Source source;
        LeasePool pool(1);
        LeaseQueue queue(pool);
        queue.push(source.lease(0, 1));
        queue.push(source.lease(1, 1));
      },
      "LAB_ASSERT\\(free_ != none\\)");
}

TEST(LeaseQueueDeathTest, NothingIsTakenOutOfNothing) {
  EXPECT_DEATH(
      {
        LeasePool pool(1);
        LeaseQueue queue(pool);
        queue.pop();
      },
      "LAB_ASSERT\\(!empty\\(\\)\\)");
}

TEST(LeaseQueueDeathTest, NoMoreIsConsumedThanThereIs) {
  EXPECT_DEATH(
      {
        Source source;
        LeasePool pool(1);
        LeaseQueue queue(pool);
        queue.push(source.lease(0, 5));
        queue.consume(6);
      },
      "LAB_ASSERT\\(sent <= bytes_\\)");
}

}  // namespace
}  // namespace lab
