#include "05-performance/bench/plan.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "05-performance/bench/system_calls.hpp"

namespace lab {
namespace {

// A line of a server's statistics.
std::string line(const char* calls, int made, int bytes, int accepted) {
  return fmt::format("{{\"accepted\":{},\"bytes_in\":{},\"{}\":{}}}\n", accepted, bytes, calls,
                     made);
}

TEST(SystemCalls, AreThoseOfTheLoadAlone) {
  const char* name = "system_calls";
  const std::string lines = line(name, 10, 0, 1)           // connections come in
                            + line(name, 500, 100, 64)     // the last has come
                            + line(name, 700, 1100, 64)    // the load
                            + line(name, 900, 2100, 64)    // the load
                            + line(name, 1000, 2500, 64)   // it ends somewhere before this
                            + line(name, 1500, 2500, 64);  // connections are closed
  EXPECT_EQ(system_calls_per_byte(lines), (900.0 - 500.0) / (2100.0 - 100.0));
}

TEST(SystemCalls, OfARingAreItsEnters) {
  const std::string lines = line("enters", 1, 64, 8) + line("enters", 5, 128, 8) +
                            line("enters", 9, 192, 8) + line("enters", 9, 192, 8);
  EXPECT_EQ(system_calls_per_byte(lines), 4.0 / 64.0);
}

TEST(SystemCalls, TooLittleIsNothing) {
  EXPECT_EQ(system_calls_per_byte(""), std::nullopt);
  EXPECT_EQ(system_calls_per_byte(line("enters", 5, 64, 8)), std::nullopt);
  EXPECT_EQ(system_calls_per_byte(line("enters", 5, 64, 8) + line("enters", 9, 64, 8)),
            std::nullopt);
  const std::string cut = line("enters", 1, 64, 8) + line("enters", 5, 128, 8) + R"({"enters":9)";
  EXPECT_EQ(system_calls_per_byte(cut), std::nullopt);
}

TEST(SystemCalls, ThatNobodyCountsAreNotNone) {
  EXPECT_EQ(system_calls_per_byte(line("enters", 0, 64, 8) + line("enters", 0, 128, 8) +
                                  line("enters", 0, 192, 8) + line("enters", 0, 192, 8)),
            std::nullopt);
}

TEST(Comparisons, AreOfVariantsThatThereAre) {
  for (const bool ablate : {false, true}) {
    const std::vector<Variant> variants = all_variants(ablate);
    for (const Comparison& comparison : all_comparisons(ablate)) {
      EXPECT_EQ(std::ranges::count(variants, comparison.first, &Variant::name), 1)
          << comparison.name;
      EXPECT_EQ(std::ranges::count(variants, comparison.second, &Variant::name), 1)
          << comparison.name;
    }
  }
}

TEST(LessonRows, AreManyAndBounded) {
  std::set<std::string> names;
  for (const Row& row : lesson_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " stands twice";
    EXPECT_LE(row.connections * row.size * row.depth, std::size_t{64} << 20) << row.name;
    EXPECT_EQ(std::ranges::count(row.options, "--stream"), row.stream ? 1 : 0) << row.name;
  }
  for (const char* name : {"1x64B", "4096x64B", "64x16KiB", "64x256KiB", "64x64Bx16", "stream8"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(LessonVariants, AreComparedWithTheirLikes) {
  const std::vector<Variant> variants = lesson_variants();
  for (const Comparison& comparison : lesson_comparisons()) {
    const auto first = std::ranges::find(variants, comparison.first, &Variant::name);
    const auto second = std::ranges::find(variants, comparison.second, &Variant::name);
    ASSERT_TRUE(first != variants.end() && second != variants.end()) << comparison.name;
    EXPECT_EQ(first->program, Variant::Program::capstone);
    EXPECT_EQ(second->program, Variant::Program::baseline);
    EXPECT_FALSE(comparison.judged);
  }
}

}  // namespace
}  // namespace lab
