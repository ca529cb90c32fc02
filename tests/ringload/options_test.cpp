// What ringload says about itself, and about what it cannot do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ringload/run_program.hpp"

namespace lab {
namespace {

using testing::HasSubstr;

TEST(Options, HelpTeaches) {
  const Ended run = ringload({"--help"});
  EXPECT_EQ(run.exit, 0);
  for (const char* word :
       {"Closed loop", "--sweep", "--plot", "--churn", "--linger-reset", "--udp", "--timeout-ms",
        "TIME_WAIT", "who was the limit", "Ctrl-C", "Exit code: 0", "Examples:"}) {
    EXPECT_THAT(run.output, HasSubstr(word));
  }
}

TEST(Options, AHelpThatNobodyGotIsNoSuccess) {
  const Ended run = ringload({"--help"}, {.output = "/dev/full"});
  EXPECT_EQ(run.exit, 2);
  EXPECT_THAT(run.errors, HasSubstr("cannot be written"));
}

struct Wrong {
  std::vector<std::string> words;
  const char* said;
};

class WrongOptions : public testing::TestWithParam<Wrong> {};

// Each is refused before anything is connected: nobody listens on port 1.
TEST_P(WrongOptions, AreRefusedWithCauseAndCure) {
  const Ended run = ringload("1", GetParam().words);
  EXPECT_EQ(run.exit, 2) << run.all();
  EXPECT_THAT(run.errors, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongOptions,
    testing::Values(Wrong{{"--sweep", "5"}, "cannot connect"},  // a list of one rate is right
                    Wrong{{"--sweep", "10:5:3"}, "the rates have to rise"},
                    Wrong{{"--sweep", "10:20"}, "a range has three numbers"},
                    Wrong{{"--sweep", "10:20:1"}, "STEPS is a whole number from 2 to 1000"},
                    Wrong{{"--sweep", "10,x"}, "\"x\" is not a number"},
                    Wrong{{"--sweep", "10,,20"}, "\"\" is not a number"},
                    Wrong{{"--sweep", "0,20"}, "0 is not in range"},
                    Wrong{{"--sweep", "nan"}, "not in range"},
                    Wrong{{"--duration", "nan"}, "nan is not between 0.01 and 86400"},
                    Wrong{{"--warmup", "nan"}, "nan is not between 0 and 3600"},
                    Wrong{{"--rate", "nan"}, "nan is not between"},
                    Wrong{{"--udp", "--timeout-ms", "nan"}, "nan is not between 1 and 60000"},
                    Wrong{{"--size", "1.5KiB"}, "1.5KiB is not a whole number"},
                    Wrong{{"--size", "16 KiB"}, "cannot connect"},  // is right
                    Wrong{{"--receive-buffer", "-4KiB"}, "-4KiB is not a whole number"},
                    Wrong{{"--sweep", "10,20", "--rate", "5"}, "--rate excludes"},
                    Wrong{{"--sweep", "10,20", "--count", "5"}, "Cure: --duration"},
                    Wrong{{"--plot", "build"}, "requires --sweep"},
                    Wrong{{"--stream", "--udp"}, "excludes"},
                    Wrong{{"--churn", "--udp"}, "excludes"},
                    Wrong{{"--churn", "--rate", "5"}, "--rate excludes"},
                    Wrong{{"--churn", "--depth", "2"}, "more --connections are more load"},
                    Wrong{{"--churn", "--spin"}, "Cure: leave it away"},
                    Wrong{{"--messages", "2"}, "requires --churn"},
                    Wrong{{"--linger-reset"}, "requires --churn"},
                    Wrong{{"--timeout-ms", "2"}, "requires --udp"},
                    Wrong{{"--udp", "--size", "15"}, "it has 16 (its number) to 65507 bytes"},
                    Wrong{{"--udp", "--size", "64KiB"}, "it has 16 (its number) to 65507 bytes"},
                    Wrong{{"--udp", "--congestion", "reno"}, "UDP has no congestion control"},
                    Wrong{{"--udp", "--count", "5"}, "Cure: --duration"},
                    Wrong{{"--udp", "--depth", "65536", "--size", "1KiB"}, "more than 1 GiB"},
                    Wrong{{"--cpu", "0", "--server-cpu", "0"}, "Cure: a core for each"},
                    Wrong{{"--cpu", "4000"}, "this process may not run there"},
                    Wrong{{"--server-pid", "4194303"}, "process 4194303"}),
    [](const auto& test) { return "case_" + std::to_string(test.index); });

// A limit stands for a small machine. Nobody listens: it is refused before anything is connected.
TEST(Options, MoreMemoryThanTheMachineHasIsRefused) {
#ifdef LAB_SANITIZED
  GTEST_SKIP() << "a sanitizer needs more address space than the limit";
#endif
  const std::vector<std::vector<std::string>> loads{
      {"--udp", "--connections", "64", "--depth", "4096", "--size", "4KiB"},
      {"--connections", "256", "--depth", "65536"}};
  for (const std::vector<std::string>& load : loads) {
    const Ended run = ringload("1", load, {.memory_max = 100 << 20});
    EXPECT_EQ(run.exit, 2) << run.all();
    EXPECT_THAT(run.errors, HasSubstr("MiB of memory, and 100 MiB are to be had here"));
    EXPECT_THAT(run.errors, HasSubstr("Cure: less of one of them"));
  }
}

// fmt::print to a stream that takes nothing throws: an error must not become an abort.
TEST(Options, AnErrorThatCannotBeSaidIsStillAnError) {
  EXPECT_EQ(ringload("1", {}, {.errors = "/dev/full"}).exit, 2);
}

}  // namespace
}  // namespace lab
