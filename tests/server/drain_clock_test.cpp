// When a draining worker looks at its connections, and when it is late.
#include <gtest/gtest.h>

#include "06-server/lib/engine/drain.hpp"

namespace lab {
namespace {

TEST(DrainClock, LooksOnceATick) {
  Drain drain(10, 2);
  drain.begin(100);
  EXPECT_TRUE(drain.is_time_to_look(100));
  EXPECT_FALSE(drain.is_time_to_look(100));
  EXPECT_TRUE(drain.is_time_to_look(101));
}

TEST(DrainClock, TheDeadlineIsCountedFromTheBeginning) {
  Drain drain(10, 2);
  drain.begin(100);
  EXPECT_FALSE(drain.past_deadline(109));
  EXPECT_TRUE(drain.past_deadline(110));
}

TEST(DrainClock, APauseOfTheWholeProcessIsNotHeldAgainstTheConnections) {
  Drain drain(10, 2);
  drain.begin(100);
  EXPECT_TRUE(drain.is_time_to_look(1000));
  EXPECT_FALSE(drain.too_late());
  EXPECT_TRUE(drain.is_time_to_look(1001));
  EXPECT_FALSE(drain.too_late());
  EXPECT_TRUE(drain.is_time_to_look(1002));
  EXPECT_TRUE(drain.too_late());
}

}  // namespace
}  // namespace lab
