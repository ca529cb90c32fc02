// When what has changed is read anew.

#include <gtest/gtest.h>

#include "06-server/lib/process/reload_pause.hpp"

namespace lab {
namespace {

TEST(ReloadPause, WaitsUntilItIsQuiet) {
  ReloadPause pause;
  EXPECT_FALSE(pause.due(1'000'000));
  pause.on_change(1000);
  EXPECT_FALSE(pause.due(1199));
  EXPECT_TRUE(pause.due(1200));
  pause.on_change(1150);
  EXPECT_FALSE(pause.due(1200));
  EXPECT_TRUE(pause.due(1350));
  pause.on_read();
  EXPECT_FALSE(pause.due(1'000'000));
}

TEST(ReloadPause, WaitsNotForEver) {
  ReloadPause pause;
  std::uint64_t now = 5000;
  for (; now < 6999; now += 100) {
    pause.on_change(now);
    EXPECT_FALSE(pause.due(now));
  }
  pause.on_change(7000);
  EXPECT_TRUE(pause.due(7000));
}

}  // namespace
}  // namespace lab
