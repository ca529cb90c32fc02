#include "01-core/lib/assert.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(AssertDeathTest, NamesTheConditionAndThePlace) {
  EXPECT_DEATH(LAB_ASSERT(1 + 1 == 3), "assert_test.cpp:[0-9]+: LAB_ASSERT\\(1 \\+ 1 == 3\\)");
}

TEST(Assert, EvaluatesItsConditionOnce) {
  int evaluated = 0;
  LAB_ASSERT(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace lab
