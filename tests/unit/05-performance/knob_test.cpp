#include "05-performance/knob.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace lab {

namespace {

// Burns this thread's CPU time, so that a loaded machine changes no ratio of it.
void burn(double nanoseconds) {
  const double end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + nanoseconds;
  while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

class KnobTest : public testing::Test {
 protected:
  KnobTest() {
    setenv("LAB_WATCHDOG_S", "300", 1);
    std::string path = std::filesystem::temp_directory_path() / "lab-knob-XXXXXX";
    need_errno(mkdtemp(path.data()) == nullptr ? -1 : 0, "mkdtemp");
    folder_ = path;
  }
  ~KnobTest() override {
    unsetenv("LAB_PLOTS");
    std::filesystem::remove_all(folder_);
  }

  char program_[5] = "test";
  char rounds_[2] = "3";
  char* words_[2] = {program_, rounds_};
  Lesson lesson_{2, words_, Knob::usage};
  std::filesystem::path folder_;
};

TEST_F(KnobTest, MeasuresEverySettingOnceARoundInTurnAndWarmsFirst) {
  std::vector<char> order;
  Knob knob(lesson_, {.name = "order", .title = "order"});
  for (const char setting : {'a', 'b'}) {
    knob.add({setting}, [&order, setting] {
      order.push_back(setting);
      return Round{};
    });
  }
  knob.run();
  EXPECT_EQ(std::string(order.begin(), order.end()),
            "abab"
            "ba"
            "ab");
}

TEST_F(KnobTest, RatiosAreOfTheSameRoundPerOperationAndToTheFirstSetting) {
  Knob knob(lesson_, {.name = "ratio", .title = "ratio", .sweep = "size", .extra = "calls"});
  for (const double at : {1.0, 2.0}) {
    knob.add(
        "off",
        [] {
          burn(2e6);
          return Round{10, 2};
        },
        at);
    knob.add(
        "on",
        [at] {
          burn(2e6 * at);
          return Round{20, at};
        },
        at);
  }
  knob.run();
  EXPECT_NEAR(knob.cpu_ratio("on", 1).median, 0.5, 0.05);
  EXPECT_NEAR(knob.cpu_ratio("on", 2).median, 1.0, 0.1);
  EXPECT_EQ(knob.cpu_ratio("off", 2).median, 1.0);
  EXPECT_EQ(knob.extra("on", 2), 2.0);
}

TEST_F(KnobTest, WritesDataAndAPictureWhereItIsTold) {
  setenv("LAB_PLOTS", folder_.c_str(), 1);
  Knob knob(lesson_, {.name = "picture", .title = "O_DIRECT", .extra = "calls"});
  for (const char* setting : {"off", "on"}) {
    knob.add(setting, [] { return Round{}; });
  }
  knob.run();
  std::ifstream data(folder_ / "picture.tsv");
  std::vector<std::string> settings;
  for (std::string line; std::getline(data, line);) {
    if (!line.empty() && line.front() != '#') settings.push_back(line.substr(0, line.find('\t')));
  }
  EXPECT_EQ(settings, (std::vector<std::string>{"off", "on"}));
  std::ifstream file(folder_ / "picture.svg");
  const std::string picture(std::istreambuf_iterator<char>(file), {});
  EXPECT_GT(picture.size(), 1000U);
  EXPECT_NE(picture.find("O_DIRECT"), picture.npos) << "the underscore lowered a letter";
}

}  // namespace

}  // namespace lab
