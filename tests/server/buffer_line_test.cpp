// The line of those who wait for a pooled buffer.

#include "06-server/lib/engine/buffer_line.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

struct Waiting : BufferLinePlace<Waiting> {};

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

  EXPECT_EQ(&line.begin_turn(), &one);
  EXPECT_TRUE(line.may_take(one));
  EXPECT_FALSE(line.may_take(two));
  EXPECT_FALSE(line.contains(one));
  line.end_turn();
  EXPECT_FALSE(line.may_take(one));
  EXPECT_EQ(line.first_since(), 9U);
}

TEST(BufferLine, WhoLeavesIsNotServed) {
  BufferLine<Waiting, true> line;
  Waiting one, two, three;
  line.join(one, 1);
  line.join(two, 2);
  line.join(three, 3);
  line.leave(two);
  line.leave(two);
  EXPECT_EQ(&line.begin_turn(), &one);
  line.end_turn();
  EXPECT_EQ(&line.begin_turn(), &three);
  line.end_turn();
  EXPECT_TRUE(line.empty());
}

}  // namespace
}  // namespace lab
