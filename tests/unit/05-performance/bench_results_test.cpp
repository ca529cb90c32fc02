#include "05-performance/bench/results.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lab {
namespace {

// One row, two servers, three rounds in which they did the same.
std::string limit_of(const Run& first, const Run& second) {
  Results results;
  results.rows = {{.name = "row", .text = "row", .options = {}}};
  results.variants = {{"first", Variant::Program::capstone, {}},
                      {"second", Variant::Program::baseline, {}}};
  results.comparisons = {{"both", "both", "first", "second"}};
  for (unsigned round = 0; round < 3; ++round) {
    for (std::size_t variant : {0U, 1U}) {
      Run run = variant == 0 ? first : second;
      run.round = round;
      run.variant = variant;
      run.requests_per_second = run.core_us = 1;
      results.runs.push_back(run);
    }
  }
  return results.compare(results.comparisons[0], 0).limit;
}

Run run(double server_busy, double client_busy, double others_share = 0) {
  Run made;
  made.server_busy = server_busy;
  made.client_busy = client_busy;
  made.others_share = others_share;
  return made;
}

TEST(Limit, IsWhoseCoreWasFull) {
  EXPECT_EQ(limit_of(run(1, 1), run(1, 1)), "server") << "the servers set the pace";
  EXPECT_EQ(limit_of(run(0.8, 1), run(1, 1)), "client") << "only the second was at its limit";
  EXPECT_EQ(limit_of(run(1, 0.8), run(0.8, 0.8)), "server");
  EXPECT_EQ(limit_of(run(0.4, 0.5), run(0.4, 0.5)), "wake-ups") << "one request at a time";
}

TEST(Limit, CannotBeToldWhereOthersHadTheCore) {
  EXPECT_EQ(limit_of(run(1, 0.5, 0.6), run(1, 0.5, 0.6)), "others");
}

}  // namespace
}  // namespace lab
