// Who was the limit: the judgement from the measured shares, both ways and the ways between.
#include "05-performance/ringload/meter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lab {
namespace {

using testing::HasSubstr;

ProcessorUse core(double busy, double steal = 0) {
  return {.elapsed_s = 1, .busy_s = busy, .ticks_s = busy, .steal_s = steal};
}

Usage usage(double own_cpu, double own_wait = 0) {
  Usage usage;
  usage.seconds = 1;
  usage.own_cpu_s = own_cpu;
  usage.own_wait_s = own_wait;
  return usage;
}

TEST(Verdict, AThreadWithTimeLeftIsNotTheLimit) {
  const Usage idle = usage(0.61);
  EXPECT_EQ(limit_of(idle), Limit::none_seen);
  EXPECT_EQ(verdict(idle), "generator: not the limit (its thread 61 % busy)");
}

TEST(Verdict, AFullThreadIsTheLimitWhereNobodyNamedTheServer) {
  const Usage full = usage(0.98);
  EXPECT_EQ(limit_of(full), Limit::generator);
  EXPECT_THAT(verdict(full), HasSubstr("LIMIT: the generator (its thread 98 % busy)"));
  EXPECT_THAT(verdict(full), HasSubstr("--server-cpu or --server-pid"));
}

TEST(Verdict, WaitingForAProcessorIsNoIdleTime) {
  const Usage crowded = usage(0.5, 0.49);
  EXPECT_EQ(limit_of(crowded), Limit::generator);
  EXPECT_THAT(verdict(crowded), HasSubstr("49 % of waiting for its turn, as others ran there"));
}

TEST(Verdict, AFullServerIsTheLimitWhateverWeAre) {
  Usage both = usage(0.98);
  both.server_core = core(0.99);
  EXPECT_EQ(limit_of(both), Limit::server);
  EXPECT_THAT(verdict(both), HasSubstr("generator: full as well"));
  both.own_cpu_s = 0.4;
  EXPECT_EQ(limit_of(both), Limit::server);
  EXPECT_THAT(verdict(both), HasSubstr("generator: not the limit (its thread 40 % busy)"));
}

TEST(Verdict, AnIdleServerBesideAFullGenerator) {
  Usage ours = usage(0.98);
  ours.server_process_s = 0.4;
  EXPECT_EQ(limit_of(ours), Limit::generator);
  EXPECT_THAT(verdict(ours), HasSubstr("not the server (its processes 40 % busy)"));
}

TEST(Verdict, NeitherWasFull) {
  Usage light = usage(0.2);
  light.own_core = core(0.3);
  light.server_core = core(0.5);
  EXPECT_EQ(limit_of(light), Limit::neither);
  EXPECT_THAT(verdict(light), HasSubstr("generator: not the limit (its core 30 % busy)"));
  EXPECT_THAT(verdict(light), HasSubstr("the load asks for no more"));
}

TEST(Verdict, NearlyFullIsUnknown) {
  const Usage nearly = usage(0.93);
  EXPECT_EQ(limit_of(nearly), Limit::unknown);
  EXPECT_THAT(verdict(nearly), HasSubstr("unknown: "));
  EXPECT_THAT(verdict(nearly), HasSubstr("Pass --cpu and --server-cpu or --server-pid"));
}

TEST(Verdict, WhatTheHypervisorTookWasNoRoom) {
  Usage stolen = usage(0.3);
  stolen.own_core = core(0.5, 0.48);
  EXPECT_EQ(limit_of(stolen), Limit::generator);
}

TEST(Verdict, SpinningIsNotWork) {
  Usage spinning = usage(1);
  spinning.spin = true;
  spinning.own_core = core(1);
  spinning.idle_share = 0.7;
  EXPECT_EQ(limit_of(spinning), Limit::none_seen);
  spinning.idle_share = 0.01;
  EXPECT_EQ(limit_of(spinning), Limit::generator);
}

TEST(Meter, CountsThisThreadsTime) {
  LoadOptions options;
  Meter meter(options);
  const Meter::Reading begin = meter.read();
  const std::uint64_t until = thread_cpu_ns() + 20'000'000;
  while (thread_cpu_ns() < until) {
  }
  const Usage used = meter.between(begin, meter.read());
  EXPECT_GE(used.own_cpu_s, 0.019);
  EXPECT_GE(used.seconds, used.own_cpu_s);
  EXPECT_FALSE(used.own_core || used.server_core || used.server_process_s);
}

TEST(Meter, RefusesAProcessorThatIsNotThere) {
  LoadOptions options;
  options.server_cpu = 4094;
  EXPECT_THROW(Meter(options).read(), std::runtime_error);
}

}  // namespace
}  // namespace lab
