// Judges the exercise of 05-performance/07-send-vs-zc. It plays a connection and the kernel: it
// asks the learner's rule before each send, and feeds it the CQEs that such a send would have, made
// by hand. Nobody edits this file.
#pragma once

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <functional>
#include <string>

#include "01-core/lesson.hpp"

namespace check {

inline constexpr unsigned size_min = 16384;  ///< the smallest send that may be zero-copy, bytes

/// A connection with its kernel. `Rule` has: bool zero_copy(unsigned bytes), which is asked before
/// each send, and void on_cqe(const io_uring_cqe&), which gets every CQE of zero-copy sends.
template <class Rule>
class World {
 public:
  /// @param reports_late so many notifications are on their way before the first one arrives
  explicit World(std::size_t reports_late = 0) : reports_late_(reports_late) {}

  /// @return true when the rule chose zero copy
  bool send(unsigned bytes, bool copied) {
    if (!rule_.zero_copy(bytes)) return false;
    feed(static_cast<int>(bytes), IORING_CQE_F_MORE);
    notifications_.push_back(copied ? static_cast<int>(IORING_NOTIF_USAGE_ZC_COPIED) : 0);
    if (notifications_.size() > reports_late_) {
      feed(notifications_.front(), IORING_CQE_F_NOTIF);
      notifications_.pop_front();
    }
    return true;
  }
  /// A send that is refused: one CQE and no notification.
  bool send_refused(unsigned bytes) {
    if (!rule_.zero_copy(bytes)) return false;
    feed(-ENOMEM, 0);
    return true;
  }

  /// `count` large sends, `copied(number)` says what the kernel does with each. Returns how many
  /// were zero-copy.
  unsigned sends(unsigned count, const std::function<bool(unsigned)>& copied) {
    unsigned chosen = 0;
    for (unsigned number = 0; number < count; ++number) {
      chosen += send(4 * size_min, copied(number)) ? 1U : 0U;
    }
    return chosen;
  }

 private:
  void feed(int res, unsigned flags) {
    io_uring_cqe cqe{};
    cqe.res = res;
    cqe.flags = flags;
    rule_.on_cqe(cqe);
  }

  Rule rule_;
  std::size_t reports_late_;
  std::deque<int> notifications_;
};

inline bool always(unsigned) { return true; }
inline bool never(unsigned) { return false; }

inline void expect(bool good, const char* story, const std::string& cause, const char* cure) {
  if (!good) lab::fail(std::string(story) + ": " + cause, cure);
}

inline std::string of(unsigned part, unsigned whole) {
  return std::to_string(part) + " of " + std::to_string(whole) + " sends were zero-copy";
}

template <class Rule>
void sizes() {
  const char* story = "sizes";
  World<Rule> world;
  for (const unsigned bytes : {1U, 64U, 4096U, size_min - 1}) {
    expect(!world.send(bytes, false), story, std::to_string(bytes) + " bytes went zero-copy",
           "below check::size_min a copy is cheaper (YOUR TURN 1)");
  }
  for (const unsigned bytes : {size_min, size_min + 1, 1U << 20}) {
    expect(world.send(bytes, false), story, std::to_string(bytes) + " bytes went plain",
           "from check::size_min on, try it: nothing speaks against it yet (YOUR TURN 1)");
  }
  std::puts("small sends are plain, large ones zero-copy");
}

template <class Rule>
void good_network() {
  const char* story = "a network without copies";
  World<Rule> world;
  unsigned chosen = world.sends(1000, never);
  expect(chosen == 1000, story, of(chosen, 1000), "no report says copied; do not stop");
  chosen = world.sends(1000, [](unsigned number) { return number % 4 == 0; });
  expect(chosen == 1000, story, "a quarter of the reports says copied, and " + of(chosen, 1000),
         "do not stop for one report: three of four sends still gain (YOUR TURN 2)");
  for (unsigned number = 0; number < 100; ++number) {
    expect(world.send_refused(size_min), story, "after results of -ENOMEM it was off",
           "a result is no report: which flag tells them apart? (YOUR TURN 2)");
  }
  expect(world.send(size_min, false), story, "after results of -ENOMEM it was off",
         "a result is no report: which flag tells them apart? (YOUR TURN 2)");
  std::puts("it stays with zero copy while that works");
}

// The tries are counted, not timed: so a test can wait for them.
template <class Rule>
void copying_network(std::size_t reports_late) {
  const char* story =
      reports_late == 0 ? "a network that copies" : "a network that copies, and reports late";
  const char* size_first = "the size comes first; then the tries (YOUR TURN 1)";
  World<Rule> world(reports_late);
  const auto slack = static_cast<unsigned>(reports_late);
  unsigned chosen = world.sends(64 + slack, always);
  expect(chosen < 64 + slack, story, "64 reports said copied, and no send was plain",
         "ask the reports before you choose (YOUR TURN 1 and 2)");
  chosen = world.sends(20'000, always);
  expect(chosen <= 200, story, "all is copied, and still " + of(chosen, 20'000),
         "one large send in a hundred is the most to try; and a try that was copied is no reason "
         "to go on (YOUR TURN 1)");
  expect(chosen >= 2, story, "after it had stopped, " + of(chosen, 20'000),
         "who never tries never hears that copying has ended. No send, no report! (YOUR TURN 1)");

  // Twice, with one more small send between: so a count of all sends is odd at the large ones once.
  for (int pass = 0; pass < 2; ++pass) {
    chosen = 0;
    expect(!world.send(64, true), story, "it tried with a small send", size_first);
    for (unsigned number = 0; number < 20'000; ++number) {
      expect(!world.send(64, true), story, "it tried with a small send", size_first);
      chosen += world.send(size_min, true) ? 1U : 0U;
    }
    expect(chosen >= 2, story, "with a small send between two large ones " + of(chosen, 20'000),
           "small sends used up the tries: count the large ones only (YOUR TURN 1)");
  }

  world.sends(100'000, never);
  chosen = world.sends(100, never);
  expect(chosen == 100, story, "copying had ended 100,000 sends ago, and only " + of(chosen, 100),
         "a report that says \"not copied\" has to bring it back (YOUR TURN 2)");
  world.sends(64 + slack, always);
  chosen = world.sends(20'000, always);
  expect(chosen <= 200, story, "it began to copy again, and " + of(chosen, 20'000),
         "reports of long ago must not count for ever (YOUR TURN 2)");
  std::printf("%s: it stops, tries, comes back, and stops again\n", story);
}

template <class Rule>
int judge() {
  sizes<Rule>();
  good_network<Rule>();
  copying_network<Rule>(0);
  copying_network<Rule>(16);
  return lab::ok();
}

}  // namespace check
