// Segments, queues of them, and the pooled buffers that some of them lie in.

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "06-server/lib/engine/segment_queue.hpp"
#include "06-server/lib/engine/worker_buffers.hpp"

namespace lab {
namespace {

Segment text_segment(std::string_view text) {
  return Segment::stable(std::as_bytes(std::span(text)));
}

std::string_view text_of(const Segment& segment) {
  return {reinterpret_cast<const char*>(segment.bytes().data()), segment.size()};
}

class Segments : public testing::Test {
 protected:
  static constexpr unsigned count = 3;
  static constexpr unsigned size = 16;

  Segment filled(std::string_view text) {
    PooledBuffer buffer = pooled.take();
    std::memcpy(buffer.space().data(), text.data(), text.size());
    return std::move(buffer).filled(static_cast<std::uint32_t>(text.size()));
  }
  std::string all(const SegmentQueue& queue) const {
    std::array<iovec, 8> entries;
    std::uint32_t bytes = 0;
    std::string text;
    const unsigned filled = queue.gather(entries, bytes);
    for (unsigned index = 0; index < filled; ++index) {
      text.append(static_cast<const char*>(entries[index].iov_base), entries[index].iov_len);
    }
    EXPECT_EQ(text.size(), bytes);
    return text;
  }

  alignas(8) std::array<std::byte, count * size> memory;
  PooledBuffers pooled{memory, count, size};
  SegmentNodes nodes{8};
};

TEST_F(Segments, StableBytesHaveNoOwner) {
  Segment one = text_segment("hello");
  EXPECT_EQ(one.kind(), SegmentKind::stable);
  const Segment rest = one.rest_after(2);
  one.reset();
  EXPECT_TRUE(one.empty());
  EXPECT_EQ(text_of(rest), "llo");
}

TEST_F(Segments, AMovedOneIsEmptyAndGivesNothingBack) {
  Segment one = filled("hello");
  EXPECT_EQ(one.kind(), SegmentKind::pooled);
  Segment other = std::move(one);
  EXPECT_TRUE(one.empty());
  one.reset();
  EXPECT_EQ(pooled.free(), count - 1);
  EXPECT_EQ(text_of(other), "hello");
  other = filled("again");  // what it had goes home
  EXPECT_EQ(pooled.free(), count - 1);
  EXPECT_EQ(text_of(other), "again");
  other = Segment();
  EXPECT_EQ(pooled.free(), count);
}

TEST_F(Segments, TheLastReaderBringsABufferHome) {
  Segment one = filled("hello world");
  Segment rest = one.rest_after(6);
  Segment last = rest.rest_after(4);
  one.reset();
  rest.reset();
  EXPECT_EQ(pooled.free(), count - 1);
  EXPECT_EQ(text_of(last), "d");
  last.reset();
  EXPECT_EQ(pooled.free(), count);
}

TEST_F(Segments, ARestOfNothingStillHoldsTheBuffer) {
  Segment one = filled("hello");
  Segment rest = one.rest_after(5);
  EXPECT_TRUE(rest.empty());
  one.reset();
  EXPECT_EQ(pooled.free(), count - 1);
  rest.reset();
  EXPECT_EQ(pooled.free(), count);
}

TEST_F(Segments, FrontAndRestCutAMessage) {
  Segment one = filled("headbody");
  Segment body = one.rest_after(4);
  one.keep_front(4);
  EXPECT_EQ(text_of(one), "head");
  body.drop_front(1);
  EXPECT_EQ(text_of(body), "ody");
}

TEST_F(Segments, APoolHandsOutWhatItHasAndNoMore) {
  std::vector<PooledBuffer> taken;
  for (unsigned number = 0; number < count; ++number) {
    taken.push_back(pooled.take());
    ASSERT_TRUE(taken.back());
    EXPECT_EQ(taken.back().space().size(), size);
  }
  EXPECT_NE(taken[0].space().data(), taken[1].space().data());
  EXPECT_FALSE(pooled.take());
  const std::byte* warm = taken[1].space().data();
  taken[1] = PooledBuffer();
  EXPECT_EQ(pooled.free(), 1U);
  EXPECT_EQ(pooled.take().space().data(), warm);
}

TEST_F(Segments, AMovedBufferHasNoSpace) {
  PooledBuffer one = pooled.take();
  PooledBuffer other = std::move(one);
  EXPECT_FALSE(one);
  EXPECT_TRUE(one.space().empty());
  EXPECT_TRUE(other);
  one = std::move(other);
  EXPECT_FALSE(other);
  EXPECT_TRUE(one);
  EXPECT_EQ(pooled.free(), count - 1);
}

TEST_F(Segments, AQueueKeepsTheOrderAndCounts) {
  SegmentQueue queue(nodes);
  queue.push(text_segment("one "));
  queue.push(filled("two "));
  queue.push(text_segment("three"));
  EXPECT_EQ(all(queue), "one two three");
  EXPECT_EQ(queue.bytes(), 13U);
  EXPECT_EQ(queue.pooled(), 1U);
  EXPECT_EQ(queue.others(), 3U);
  EXPECT_EQ(queue.received(), 0U);
  queue.push_front(text_segment("zero "));
  EXPECT_EQ(all(queue), "zero one two three");
  EXPECT_EQ(text_of(queue.pop()), "zero ");
  EXPECT_EQ(text_of(queue.pop()), "one ");
  EXPECT_EQ(queue.bytes(), 9U);
  EXPECT_EQ(text_of(queue.front()), "two ");
  queue.clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes() + queue.others(), 0U);
  EXPECT_EQ(pooled.free(), count);
}

// Whole ones have a node for each buffer; how many pieces a protocol makes of one nobody knows.
TEST_F(Segments, PiecesOfWhatWasReceivedCountAmongTheOthers) {
  struct Received : SegmentOwner {
    Received() : SegmentOwner(SegmentKind::received, &nothing, &nothing) {}
    static void nothing(SegmentOwner&, std::uint32_t) noexcept {}
  } received;
  const auto bytes = std::as_bytes(std::span(std::string_view("abcdef")));
  SegmentQueue queue(nodes);
  Segment whole(received, 0, bytes);
  Segment rest = whole.rest_after(2);
  whole.keep_front(2);
  queue.push(std::move(whole));
  EXPECT_TRUE(queue.single());
  EXPECT_EQ(queue.others(), 0U);
  Segment last = rest.rest_after(2);
  rest.keep_front(2);
  queue.push(std::move(rest));
  queue.push(Segment(std::move(last)));
  EXPECT_FALSE(queue.single());
  EXPECT_EQ(all(queue), "abcdef");
  EXPECT_EQ(queue.received(), 3U);
  EXPECT_EQ(queue.others(), 2U);
  queue.consume(4);
  EXPECT_TRUE(queue.single());
  EXPECT_EQ(queue.others(), 1U);
  queue.clear();
  EXPECT_FALSE(queue.single());
  EXPECT_EQ(queue.received() + queue.others(), 0U);
}

TEST_F(Segments, PushedInFrontOfNothingItIsTheLastToo) {
  SegmentQueue queue(nodes);
  queue.push_front(text_segment("a"));
  queue.push(text_segment("b"));
  EXPECT_EQ(all(queue), "ab");
}

TEST_F(Segments, WhatWasSentIsConsumedToTheByte) {
  const std::string whole = "onetwothree";
  for (std::uint32_t first = 0; first <= whole.size(); ++first) {
    for (std::uint32_t second = 0; first + second <= whole.size(); ++second) {
      SegmentQueue queue(nodes);
      queue.push(filled("one"));
      queue.push(filled("two"));
      queue.push(filled("three"));
      queue.consume(first);
      queue.consume(second);
      EXPECT_EQ(all(queue), whole.substr(first + second));
      EXPECT_EQ(queue.bytes(), whole.size() - first - second);
      EXPECT_EQ(pooled.free(), count - queue.others());
    }
  }
  EXPECT_EQ(pooled.free(), count);
}

TEST_F(Segments, AGatherEndsBeforeOneThatGoesAlone) {
  SegmentQueue queue(nodes);
  queue.push(text_segment("long one"));
  queue.push(text_segment("b"));
  queue.push(text_segment("another"));
  std::array<iovec, 8> entries;
  std::uint32_t bytes = 0;
  EXPECT_EQ(queue.gather(entries, bytes, 5), 2U);  // the front is never left out
  EXPECT_EQ(bytes, 9U);
  EXPECT_EQ(queue.gather(std::span(entries).first(1), bytes), 1U);
  EXPECT_EQ(bytes, 8U);
}

TEST_F(Segments, NodesAreUsedAgain) {
  SegmentQueue one(nodes);
  SegmentQueue other(nodes);
  for (unsigned round = 0; round < 10; ++round) {
    for (unsigned number = 0; number < 4; ++number) one.push(text_segment("x"));
    while (!one.empty()) other.push(one.pop());
    other.clear();
  }
  EXPECT_TRUE(one.empty() && other.empty());
}

}  // namespace
}  // namespace lab
