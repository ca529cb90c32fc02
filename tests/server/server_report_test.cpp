#include "06-server/lib/process/server_report.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/server/json.hpp"

namespace lab {
namespace {

constexpr std::array<CounterInfo, 5> own_infos{{
    {"own_answers", "Answers", "status", "200"},
    {"own_answers", "Answers", "status", "404"},
    {"own_bytes", "Bytes"},
    {"own_seconds", "Durations", "le", "+Inf", CounterInfo::Kind::duration_bucket},
    {"own_seconds", "Durations", "le", "sum_ns", CounterInfo::Kind::duration_sum},
}};

std::vector<CounterInfo> infos() {
  std::vector<CounterInfo> all(stat_infos().begin(), stat_infos().end());
  all.insert(all.end(), own_infos.begin(), own_infos.end());
  return all;
}

std::uint64_t& at(StatValues& values, Stat stat) { return values[static_cast<std::size_t>(stat)]; }

CounterValues numbered(std::uint64_t first) {
  CounterValues values(infos().size());
  for (std::uint64_t& value : values) value = first++;
  return values;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ServerReport, DifferenceAndSumGoValueByValue) {
  const CounterValues growth = difference(numbered(1000), numbered(1));
  for (const std::uint64_t value : growth) EXPECT_EQ(value, 999U);

  const std::array workers{numbered(1), numbered(100)};
  const CounterValues total = sum(workers, growth.size());
  for (std::size_t index = 0; index < total.size(); ++index)
    EXPECT_EQ(total[index], 101 + 2 * index);
  EXPECT_EQ(sum({}, 3), CounterValues(3));
}

TEST(ServerReport, ShortNumberHasThreeDigitsAndAUnit) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(7), "7");
  EXPECT_EQ(short_number(999.4), "999");
  EXPECT_EQ(short_number(999.6), "1.00 k");
  EXPECT_EQ(short_number(1234), "1.23 k");
  EXPECT_EQ(short_number(12345), "12.3 k");
  EXPECT_EQ(short_number(123456), "123 k");
  EXPECT_EQ(short_number(9'996), "10.0 k");
  EXPECT_EQ(short_number(99'960), "100 k");
  EXPECT_EQ(short_number(999'600), "1.00 M");
  EXPECT_EQ(short_number(4.56e9), "4.56 G");
  EXPECT_EQ(short_number(4.56e12), "4.56 T");
  EXPECT_EQ(short_number(4.56e15), "4.56 P");
  EXPECT_EQ(short_number(4.56e18), "4560 P");
}

TEST(ServerReport, TheLineShowsRatesOfTheInterval) {
  StatValues now{};
  at(now, Stat::accepted) = 700;
  at(now, Stat::closed) = 200;
  StatValues interval{};
  at(interval, Stat::accepted) = 50;
  at(interval, Stat::receives) = 30'000;
  at(interval, Stat::bytes_in) = 3'000'000;
  at(interval, Stat::bytes_out) = 6'000'000;
  at(interval, Stat::enters) = 1500;
  at(interval, Stat::completions) = 60'000;
  at(interval, Stat::cpu_ns) = 90'000'000;
  at(interval, Stat::zero_copy_sent) = 3;
  at(interval, Stat::zero_copy_copied) = 4;
  EXPECT_EQ(describe(now, interval, 2.0),
            "500 connections | 25/s accepted | 15.0 k/s requests | in 1.50 MB/s out 3.00 MB/s | "
            "0.050 system calls/request, 40.0 CQEs/call, 3.00 us CPU/request | "
            "zc 3 sent 4 copied");
}

// Ticks are calls too: "333 system calls/request" said how long nobody had asked.
TEST(ServerReport, FewRequestsHaveNoFiguresOfTheirOwn) {
  StatValues interval{};
  at(interval, Stat::enters) = 333;
  at(interval, Stat::completions) = 340;
  at(interval, Stat::cpu_ns) = 12'340'000;
  const auto line = [&](std::uint64_t requests) {
    at(interval, Stat::receives) = requests;
    return describe(interval, interval, 10.0);
  };
  for (const std::uint64_t requests : {0U, 1U, 99U}) {
    EXPECT_TRUE(contains(line(requests), " | 333 system calls, 12.3 ms CPU | ")) << requests;
    EXPECT_FALSE(contains(line(requests), "/request,")) << requests;
  }
  EXPECT_TRUE(contains(line(100), " | 3.330 system calls/request, 1.0 CQEs/call, ")) << line(100);
  at(interval, Stat::enters) = 40'000;  // an hour without anybody lies between them
  EXPECT_TRUE(contains(line(9999), " | 40000 system calls, ")) << line(9999);
  EXPECT_TRUE(contains(line(10'000), " | 4.000 system calls/request, ")) << line(10'000);
}

TEST(ServerReport, RareThingsStandInTheLineOnlyWhenTheyHappened) {
  const std::pair<Stat, const char*> rare[] = {
      {Stat::no_buffers, "7 ENOBUFS"},         {Stat::pauses, "7 pauses"},
      {Stat::receives_one_shot, "7 one-shot"}, {Stat::shed, "7 shed"},
      {Stat::idle_closed, "7 idle"},           {Stat::accept_errors, "7 accept errors"},
      {Stat::tcp_ended, "7 ended by TCP"},     {Stat::drain_resets, "7 reset by the drain"},
      {Stat::cq_overflows, "7 CQ overflows"},  {Stat::ring_errors, "7 ring errors"}};
  const StatValues none{};
  const std::string quiet = describe(none, none, 1.0);
  for (const auto& [stat, text] : rare) {
    EXPECT_FALSE(contains(quiet, std::string(text).substr(2))) << text;
    StatValues interval{};
    at(interval, stat) = 7;
    EXPECT_TRUE(contains(describe(none, interval, 1.0), text)) << text;
  }
}

TEST(ServerReport, NothingHappenedInNoTimeIsNoDivisionByZero) {
  const StatValues none{};
  const std::string line = describe(none, none, 0.0);
  EXPECT_FALSE(contains(line, "nan") || contains(line, "inf")) << line;
}

TEST(ServerReport, JsonHasEveryNameInTotalAndPerWorker) {
  const std::array workers{numbered(1), numbered(1000)};
  const std::string text = to_json(infos(), workers, 12.3456);
  EXPECT_FALSE(contains(text, "\n"));
  const Json json = JsonReader::read(text);
  EXPECT_DOUBLE_EQ(json["seconds"].number(), 12.346);
  const JsonArray& parts = json["workers"].array();
  ASSERT_EQ(parts.size(), 2U);
  const std::vector<CounterInfo> all = infos();
  for (std::size_t index = 0; index < all.size(); ++index) {
    const std::string name(all[index].name);
    const auto number = [&](const Json& object) {
      if (all[index].label.empty()) return object[name].number();
      return object[name][std::string(all[index].value)].number();
    };
    EXPECT_EQ(number(json), static_cast<double>(1001 + 2 * index)) << name;
    EXPECT_EQ(number(parts[0]), static_cast<double>(1 + index)) << name;
    EXPECT_EQ(number(parts[1]), static_cast<double>(1000 + index)) << name;
  }
  EXPECT_EQ(parts[0]["worker"].number(), 0);
  EXPECT_EQ(parts[1]["worker"].number(), 1);
}

TEST(ServerReport, JsonOfNoWorkersIsValid) {
  EXPECT_TRUE(JsonReader::read(to_json(infos(), {}, 0))["workers"].array().empty());
}

TEST(ServerReport, JsonOfTheLargestNumbersIsNotLongerThanItsBound) {
  const CounterValues largest(infos().size(), ~std::uint64_t{0});
  for (const std::size_t count : {0U, 1U, 64U}) {
    const std::vector<CounterValues> workers(count, largest);
    EXPECT_LE(to_json(infos(), workers, 1e12).size(), json_size_max(infos(), count));
  }
}

TEST(ServerReport, WhatAProtocolCountedIsSaidAsFarAsItIsNotZero) {
  const auto line = [](const CounterValues& values) { return describe_own(own_infos, values); };
  EXPECT_EQ(line({0, 0, 0, 0, 0}), "");
  EXPECT_EQ(line({5, 1, 12, 3, 400}),
            "own_answers 200: 5, 404: 1 | own_bytes: 12 | own_seconds sum_ns: 400");
  EXPECT_EQ(line({0, 2, 0, 9, 0}), "own_answers 404: 2");
}

TEST(ServerReport, ConnectionsAreNeverNegative) {
  // A reader sees each counter at its own moment: one that was accepted and closed in between is
  // in `closed` alone.
  StatValues values{};
  at(values, Stat::accepted) = 5;
  at(values, Stat::closed) = 6;
  EXPECT_TRUE(contains(describe(values, values, 1.0), "0 connections |"));
  const CounterValues worker(values.begin(), values.end());
  const Json json = JsonReader::read(to_json(stat_infos(), {&worker, 1}, 1.0));
  EXPECT_EQ(json["connections"].number(), 0);
  EXPECT_EQ(json["workers"].array()[0]["connections"].number(), 0);
}

}  // namespace
}  // namespace lab
