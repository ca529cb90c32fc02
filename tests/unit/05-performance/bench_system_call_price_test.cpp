#include "05-performance/bench/system_call_price.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "05-performance/bench/wake_up_price.hpp"

namespace lab {
namespace {

TEST(SystemCallPrice, IsOfOneCallAndInterruptedBatchesDoNotMatter) {
  double now = 0;
  int calls = 0;
  const auto call = [&] {
    now += 150;
    if (++calls % 300 == 0) now += 1e6;  // somebody else had the processor, in each third batch
  };
  EXPECT_DOUBLE_EQ(median_call_ns([&] { return now; }, call), 150);
}

TEST(SystemCallPrice, IsTheSameThroughoutAProcessAndNamesItsUnit) {
  const double price = system_call_ns();
  EXPECT_GT(price, 0);
  EXPECT_EQ(system_call_ns(), price);
  EXPECT_EQ(system_call_text(),
            "a system call takes " + std::to_string(std::lround(price)) + " ns");
}

TEST(WakeUpPrice, IsTheSameThroughoutAProcess) {
  const double price = wake_up_us();
  EXPECT_GT(price, 0);
  EXPECT_EQ(wake_up_us(), price);
}

}  // namespace
}  // namespace lab
