// The fuzz targets with a seeded generator: the requests of the table, bent in many ways.
#include <gtest/gtest.h>

#include <random>

#include "tests/http/case_file.hpp"
#include "tests/http/fuzz_targets.hpp"

namespace lab::test {
namespace {

// A sanitizer takes thirty times as long for each byte that comes alone.
#ifdef LAB_SANITIZED
constexpr unsigned rounds = 100;
#else
constexpr unsigned rounds = 3000;
#endif
constexpr std::size_t input_bytes_max = 3000;

std::vector<std::string> requests_of_the_table() {
  std::vector<std::string> all;
  for (const Case& one :
       read_cases(LAB_HTTP_CASES, [](const auto&, const auto&) { return "\"t\""; }))
    for (const Step& step : one.steps)
      if (!step.text.empty() && step.text.size() < input_bytes_max &&
          step.text.find("/big.bin") == std::string::npos)
        all.push_back(step.text);
  return all;
}

/// Makes new inputs out of others. The same seed, the same inputs: numbers are taken from the
/// engine itself, for distributions differ between libraries.
class Bender {
 public:
  Bender(std::uint32_t seed, std::vector<std::string> seeds)
      : random_(seed), seeds_(std::move(seeds)) {}

  std::string next() {
    std::string text = pick();
    for (std::size_t bends = below(4); bends > 0; --bends) bend(text);
    if (text.size() > input_bytes_max) text.resize(input_bytes_max);
    return text;
  }

 private:
  std::size_t below(std::size_t end) { return end == 0 ? 0 : random_() % end; }
  const std::string& pick() { return seeds_[below(seeds_.size())]; }

  void bend(std::string& text) {
    static constexpr std::string_view special{"\r\n\0 \t:;,=\"%/.-0*\xff", 17};
    const std::size_t at = below(text.size() + 1);
    switch (below(7)) {
      case 0:
        text.insert(at, 1, special[below(special.size())]);
        break;
      case 1:
        text.insert(at, 1, static_cast<char>(random_()));
        break;
      case 2:
        text.erase(at, 1 + below(4));
        break;
      case 3:
        text.insert(at, pick().substr(0, below(200)));
        break;
      case 4:
        text = text.substr(0, at);
        break;
      case 5:
        text += pick();
        break;
      case 6:
        if (at < text.size()) text[at] = special[below(special.size())];
        break;
    }
  }

  std::mt19937 random_;
  std::vector<std::string> seeds_;
};

void run(void (*target)(std::string_view), std::uint32_t seed, std::vector<std::string> seeds) {
  Bender bender(seed, std::move(seeds));
  for (unsigned i = 0; i < rounds; ++i) target(bender.next());
}

TEST(HttpFuzz, ConnectionsAnswerTheSameHoweverTheyAreCut) {
  run(fuzz_connection, 1, requests_of_the_table());
}

TEST(HttpFuzz, Targets) {
  run(fuzz_target, 2,
      {"/", "/a/../b", "/%2e%2e/", "/%00", "http://h:80/a?b", "http://[::1]/", "*", "/a%2fb%41",
       "/./a/..", "/..", "/%", "//a//"});
}

TEST(HttpFuzz, Ranges) {
  run(fuzz_range, 3,
      {"bytes=0-9", "bytes=-5", "bytes=5-", "bytes=0-9,10-19,-3", "bytes=99999999999999999999-",
       "bytes=0-18446744073709551615", "bytes=18446744073709551614-18446744073709551615"});
}

TEST(HttpFuzz, AcceptEncodings) {
  run(fuzz_accept_encoding, 4,
      {"gzip, br;q=0.5", "*", "identity;q=0", "*;q=0", "gzip;q=1.000", "br;q=0.001, zstd", ",,"});
}

TEST(HttpFuzz, Conditions) {
  run(fuzz_conditions, 5,
      {"\"abc\"", "W/\"abc\", \"d\"", "*", "Sun, 06 Nov 1994 08:49:37 GMT",
       "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "\"a\",\"abc\""});
}

}  // namespace
}  // namespace lab::test
