#include "05-performance/bench/nearest_word.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace lab {
namespace {

const std::array<std::string, 5> flag_names{"--tls-cert", "--tls-key", "--port", "--connections",
                                            "--connection-balance"};

TEST(NearestWord, EditsAreLettersPutInTakenOutOrChanged) {
  EXPECT_EQ(edits("", ""), 0U);
  EXPECT_EQ(edits("", "abc"), 3U);
  EXPECT_EQ(edits("abc", ""), 3U);
  EXPECT_EQ(edits("port", "port"), 0U);
  EXPECT_EQ(edits("prt", "port"), 1U);
  EXPECT_EQ(edits("poort", "port"), 1U);
  EXPECT_EQ(edits("part", "port"), 1U);
  EXPECT_EQ(edits("prot", "port"), 2U);
  EXPECT_EQ(edits("kitten", "sitting"), 3U);
}

TEST(NearestWord, IsWhatWasMeant) {
  EXPECT_EQ(nearest_word("--tls-crt", flag_names), "--tls-cert");
  EXPECT_EQ(nearest_word("--prot", flag_names), "--port");
  EXPECT_EQ(nearest_word("--conections", flag_names), "--connections");
  EXPECT_EQ(nearest_word("--connection", flag_names), "--connections");
}

TEST(NearestWord, IsNothingWhereNoneIsNear) {
  for (const char* word : {"--bogus", "--verbose-log", "--", ""}) {
    EXPECT_EQ(nearest_word(word, flag_names), "") << word;
  }
  EXPECT_EQ(nearest_word("--port", {}), "");
}

}  // namespace
}  // namespace lab
