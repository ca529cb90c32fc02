#include <gtest/gtest.h>

#include "05-performance/bench/json_field.hpp"

namespace lab {
namespace {

TEST(JsonNumber, FindsTotalsBeforeWorkers) {
  const std::string json = R"({"seconds":1.5,"enters":30,"workers":[{"worker":0,"enters":10}]})";
  EXPECT_EQ(json_number(json, "enters"), 30);
  EXPECT_EQ(json_number(json, "seconds"), 1.5);
  EXPECT_EQ(json_number(json, "enter"), std::nullopt);
  EXPECT_EQ(json_number("", "enters"), std::nullopt);
}

TEST(JsonNumber, NoNumberIsNothing) {
  EXPECT_EQ(json_number(R"({"rate":null})", "rate"), std::nullopt);
}

}  // namespace
}  // namespace lab
