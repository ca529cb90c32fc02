#include "05-performance/bench/operands.hpp"

#include <gtest/gtest.h>

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
  CLI::App app;
  add_operands(app, "FILE", parsed.operands, "");
  app.add_option("--option", parsed.option);
  app.add_flag("--flag", parsed.flag);
  std::reverse(words.begin(), words.end());  // as CLI11 wants it
  app.parse(words);
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
    EXPECT_EQ(parse(words).operands, words);
  }
}

TEST(Operands, StandBetweenOptionsAndAfterTwoDashes) {
  const Parsed parsed = parse({"a", "--flag", "[b]", "--option", "[c]", "--", "-d", "--flag"});
  EXPECT_EQ(parsed.operands, (Words{"a", "[b]", "-d", "--flag"}));
  EXPECT_EQ(parsed.option, "[c]");
  EXPECT_TRUE(parsed.flag);
}

TEST(Operands, MayBeMissing) { EXPECT_EQ(parse({"--flag"}).operands, Words{"default"}); }

TEST(Operands, AreNoOptions) { EXPECT_THROW(parse({"--nope"}), CLI::ParseError); }

}  // namespace
}  // namespace lab
