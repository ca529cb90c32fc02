#include "01-core/lib/poison.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace lab {
namespace {

TEST(PoisonDeathTest, PoisonedMemoryIsNotTouched) {
#ifdef LAB_ASAN
  alignas(8) std::array<char, 64> memory{};
  // Volatile: the compiler must not see that nobody reads what is written.
  const auto touch = [&](std::size_t position) {
    *const_cast<volatile char*>(memory.data() + position) = 1;
  };
  poison(memory.data() + 8, 48);
  touch(7);  // the neighbours on both sides stay ours
  touch(56);
  EXPECT_DEATH(touch(8), "use-after-poison");
  EXPECT_DEATH(touch(55), "use-after-poison");
  unpoison(memory.data() + 8, 48);
  touch(8);
  touch(55);
#else
  GTEST_SKIP() << "poisoning is seen in AddressSanitizer builds only";
#endif
}

TEST(Poison, DoesNotChangeTheBytes) {
  alignas(8) std::array<char, 16> memory{'a', 'b'};
  poison(memory.data(), memory.size());
  unpoison(memory.data(), memory.size());
  EXPECT_EQ(memory[0], 'a');
  EXPECT_EQ(memory[1], 'b');
}

}  // namespace
}  // namespace lab
