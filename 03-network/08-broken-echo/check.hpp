// Judges the exercise of 03-network/08-broken-echo: ten transcripts. Nobody edits this file.
#pragma once

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

/// What one client noted, and what its neighbour did meanwhile.
struct Transcript {
  int sent;                   ///< it sent the blocks 1 to `sent`
  std::vector<int> received;  ///< the blocks that came back, as they came; no block comes twice
  bool ended;                 ///< the server's FIN has come: nothing more will
  bool neighbour_asked = false;
  bool neighbour_answered = false;  ///< before this client read anything
};

struct Faults {
  bool reordered = false;
  bool lost = false;
  bool starved = false;
  bool operator==(const Faults&) const = default;
};

// Yours, in exercise.cpp.
Faults faults_in(const Transcript& seen);

namespace check {

struct Case {
  const char* words;
  Transcript seen;
  Faults wanted;
  const char* look;
};

inline std::string in_words(const Faults& faults) {
  std::string text;
  if (faults.reordered) text += "reordered ";
  if (faults.lost) text += "lost ";
  if (faults.starved) text += "starved ";
  return text.empty() ? "no fault" : text.substr(0, text.size() - 1);
}

inline std::string in_words(const Transcript& seen) {
  std::string text = "1 to " + std::to_string(seen.sent) + " were sent, received:";
  for (const int block : seen.received) text += " " + std::to_string(block);
  if (seen.ended) text += ", the end";
  if (seen.neighbour_asked) text += "; a neighbour asked, and ";
  if (seen.neighbour_asked) text += seen.neighbour_answered ? "was answered" : "waited";
  return text;
}

inline const std::array<Case, 10>& cases() {
  static const std::array<Case, 10> all{{
      {"everything came", {4, {1, 2, 3, 4}, true}, {}, "YOUR TURN 1 and 2"},
      {"two changed places", {4, {1, 3, 2, 4}, true}, {.reordered = true}, "YOUR TURN 1 and 2"},
      {"the last ones came first", {4, {4, 3, 2, 1}, true}, {.reordered = true}, "YOUR TURN 1"},
      {"one is missing",
       {4, {1, 2, 4}, true},
       {.lost = true},
       "YOUR TURN 1: 1 2 4 is an order as good as 1 2 3 4"},
      {"the end is missing", {4, {1, 2}, true}, {.lost = true}, "YOUR TURN 1 and 2"},
      {"nothing came", {4, {}, true}, {.lost = true}, "YOUR TURN 1: nothing is in order"},
      {"half of it is there, and no end", {4, {1, 2}, false}, {}, "YOUR TURN 2"},
      {"one is missing, and two changed places",
       {5, {1, 4, 2, 5}, true},
       {.reordered = true, .lost = true},
       "YOUR TURN 1 and 2: a server can have two faults"},
      {"it has not read, its neighbour is served", {4, {}, false, true, true}, {}, "YOUR TURN 3"},
      {"it has not read, its neighbour waits",
       {4, {}, false, true, false},
       {.starved = true},
       "YOUR TURN 3: what one client does not read must not keep the answer of another"},
  }};
  return all;
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  for (const Case& one : cases()) {
    const Faults yours = faults_in(one.seen);
    if (yours == one.wanted) continue;
    std::printf("%s\n", in_words(one.seen).c_str());
    lab::fail(std::string(one.words) + ": you say \"" + in_words(yours) + "\", and it is \"" +
                  in_words(one.wanted) + "\"",
              one.look);
  }
  std::printf("%zu transcripts, and you named every fault\n", cases().size());
  return lab::ok();
}

}  // namespace check
