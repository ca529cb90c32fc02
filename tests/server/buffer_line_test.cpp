// The line of those who wait for a pooled buffer.

#include "06-server/lib/engine/buffer_line.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lab {
namespace {

struct Waiting : BufferLinePlace<Waiting> {};

/// Pooled buffers that are home.
struct Home {
  unsigned buffers;
  unsigned free() const { return buffers; }
};

TEST(BufferLine, WhileNobodyWaitsAnybodyMayTake) {
  BufferLine<Waiting, true> line;
  Waiting one;
  EXPECT_TRUE(line.empty());
  EXPECT_TRUE(line.may_take(one));
}

TEST(BufferLine, FirstComeFirstServed) {
  BufferLine<Waiting, true> line;
  Waiting one, two, stranger;
  line.join(one, 7);
  line.join(two, 9);
  line.join(one, 11);  // it keeps its place and its time
  EXPECT_EQ(line.size(), 2U);
  EXPECT_EQ(line.first_since(), 7U);
  EXPECT_FALSE(line.may_take(stranger));
  EXPECT_FALSE(line.may_take(one)) << "it waits for its turn like all others";

  Home home{1};
  unsigned turns = 0;
  line.grant(home, [&](Waiting& next) {
    EXPECT_EQ(&next, &one);
    EXPECT_TRUE(line.may_take(one));
    EXPECT_FALSE(line.may_take(two));
    EXPECT_FALSE(line.contains(one));
    --home.buffers;
    ++turns;
  });
  EXPECT_EQ(turns, 1U) << "there is no second buffer";
  EXPECT_FALSE(line.may_take(one));
  EXPECT_EQ(line.first_since(), 9U);
}

TEST(BufferLine, WhoTakesNothingAndComesBackHasOneTurn) {
  BufferLine<Waiting, true> line;
  Waiting one, two;
  line.join(one, 1);
  line.join(two, 2);
  std::vector<Waiting*> served;
  line.grant(Home{1}, [&](Waiting& next) {
    served.push_back(&next);
    line.join(next, 3);
  });
  EXPECT_EQ(served, (std::vector<Waiting*>{&one, &two}));
  EXPECT_EQ(line.size(), 2U);
}

TEST(BufferLine, WhoLeavesIsNotServed) {
  BufferLine<Waiting, true> line;
  Waiting one, two, three;
  line.join(one, 1);
  line.join(two, 2);
  line.join(three, 3);
  line.leave(two);
  line.leave(two);
  std::vector<Waiting*> served;
  line.grant(Home{3}, [&](Waiting& next) { served.push_back(&next); });
  EXPECT_EQ(served, (std::vector<Waiting*>{&one, &three}));
  EXPECT_TRUE(line.empty());
}

}  // namespace
}  // namespace lab
