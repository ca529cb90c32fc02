#include "05-performance/bench/operands.hpp"

#include <gtest/gtest.h>

#include "05-performance/bench/command_line.hpp"

namespace lab {
namespace {

using Words = std::vector<std::string>;

struct Parsed {
  Words operands{"default"};
  std::string option;
  bool flag = false;
};

Parsed parse(Words words) {
  Parsed parsed;
  CommandLine line("program", "");
  line.add_option("FILE", parsed.operands, "");
  line.add_option("--option", parsed.option, "");
  line.add_flag("--flag", parsed.flag, "");
  std::vector<char*> arguments{const_cast<char*>("program")};
  for (std::string& word : words) arguments.push_back(word.data());
  line.parse(operands_as_written(static_cast<int>(arguments.size()), arguments.data()));
  return parsed;
}

TEST(Operands, AreTakenAsTheyAre) {
  for (const Words& words : std::initializer_list<Words>{{"[x]"},
                                                         {"[x,y]"},
                                                         {"[]"},
                                                         {"{}"},
                                                         {"%%"},
                                                         {""},
                                                         {"a", "[]", "b", "{}", "%%", "", "a,b"},
                                                         {"x=y", "++", "[", "]"}}) {
    Words same_files = words;
    for (std::string& word : same_files) {
      if (word.starts_with('[') || word.starts_with('{')) word.insert(0, "./");
    }
    EXPECT_EQ(parse(words).operands, same_files);
  }
}

TEST(Operands, StandBetweenOptionsAndAfterTwoDashes) {
  const Parsed parsed = parse({"a", "--flag", "[b]", "--option", "[c]", "--", "-d", "--flag"});
  EXPECT_EQ(parsed.operands, (Words{"a", "./[b]", "-d", "--flag"}));
  EXPECT_EQ(parsed.option, "./[c]");
  EXPECT_TRUE(parsed.flag);
}

TEST(Operands, MayBeMissing) { EXPECT_EQ(parse({"--flag"}).operands, Words{"default"}); }

TEST(Operands, AreNoOptions) {
  EXPECT_EXIT(parse({"--nope"}), testing::ExitedWithCode(2), "--nope");
}

}  // namespace
}  // namespace lab
