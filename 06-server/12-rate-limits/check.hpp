// Judges the exercise of 06-server/12-rate-limits: what a small table lets in, by a clock of the
// judge's. Nobody edits this file.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t interval = 100 * ms;       ///< ten a second
constexpr std::uint64_t early_max = 4 * interval;  ///< and five at once, after a pause

/// A client that is remembered: when it would be due if it kept to the rate exactly.
struct Entry {
  unsigned client = 0;  ///< 0: nobody
  std::uint64_t due = 0;
};

/// A table of four clients.
using Bucket = std::array<Entry, 4>;

// Yours, in exercise.cpp.
bool admit(Bucket& bucket, unsigned client, std::uint64_t now);

namespace check {

inline unsigned let_in(Bucket& bucket, unsigned client, std::uint64_t begin, unsigned requests,
                       std::uint64_t pause) {
  unsigned count = 0;
  for (unsigned request = 0; request < requests; ++request) {
    count += admit(bucket, client, begin + request * pause) ? 1 : 0;
  }
  return count;
}

inline void expect(unsigned yours, unsigned wanted, const char* what, const char* look) {
  if (yours == wanted) return;
  lab::fail(std::string(what) + ": you let " + std::to_string(yours) + " in, and it is " +
                std::to_string(wanted),
            look);
}

inline void judge_rate() {
  Bucket bucket{};
  expect(let_in(bucket, 7, 1000 * ms, 1, 0), 1, "the first request of a new client",
         "YOUR TURN 3: a free entry is the first choice");
  expect(let_in(bucket, 7, 1000 * ms, 10, 0), 4, "ten more at the same moment",
         "YOUR TURN 1: who is early by more than early_max is refused");
  expect(let_in(bucket, 7, 9000 * ms, 10, 0), 5, "ten at once after a pause of 8 s",
         "YOUR TURN 2: nobody saves up more than a burst, so count from now on");
  expect(let_in(bucket, 7, 20'000 * ms, 100, 10 * ms), 14, "a hundred in a second",
         "YOUR TURN 2: a refused request moves no time on");
}

inline void judge_clock() {
  Bucket bucket{};
  expect(let_in(bucket, 8, 0 - 450 * ms, 10, 0), 5, "ten at once, just before the clock wraps",
         "YOUR TURN 1: subtract first, and then look at the sign");
  const std::uint64_t begin = 0 - 500 * ms;
  expect(let_in(bucket, 7, begin, 100, 10 * ms), 14,
         "a hundred in the second in which the clock wraps",
         "YOUR TURN 1: subtract first, and then look at the sign");
}

inline void judge_victim() {
  Bucket bucket{};
  for (unsigned client = 1; client <= 4; ++client) let_in(bucket, client, 1000 * ms, client, 0);
  expect(let_in(bucket, 9, 1000 * ms, 1, 0), 1, "a fifth client, where four are remembered",
         "YOUR TURN 3: a full table lets a new client in");
  expect(let_in(bucket, 4, 1000 * ms, 5, 0), 1, "five more of the client that had asked most",
         "YOUR TURN 3: whose time is the oldest has the least to forget");
  // Near the end of the clock, the smallest number is not the oldest time.
  Bucket wraps{};
  const std::uint64_t late = 0 - 350 * ms;
  for (unsigned client = 1; client <= 4; ++client) let_in(wraps, client, late, client, 0);
  let_in(wraps, 9, late, 1, 0);
  expect(let_in(wraps, 4, late, 5, 0), 1, "the same, as the clock wraps",
         "YOUR TURN 3: compare how early they are, not their times");
}

inline int run(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  judge_rate();
  judge_clock();
  judge_victim();
  std::printf("your table keeps the rate, over the clock's end too, and forgets the right one\n");
  return lab::ok();
}

}  // namespace check
