// Judges the exercise of 03-network/14-direct-accept. It plays the kernel, which hands out the
// lowest free slot, and the workers, whose replies come late. Nobody edits this file.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

struct Slot {
  std::uint32_t generation = 0;
  bool open = false;
};

using Table = std::array<Slot, 4>;
using Mark = std::uint64_t;

inline constexpr int nobody = -1;

// Yours, in exercise.cpp.
void on_accept(Table& table, unsigned slot);
void on_close(Table& table, unsigned slot);
Mark mark_of(const Table& table, unsigned slot);
int whom_to_reply(const Table& table, Mark mark);

namespace check {

struct Reply {
  Mark mark;
  int peer;  // who asked
};

struct Judge {
  Table table;
  std::array<int, 4> peers{};  // who is in the slot; 0: nobody
  std::vector<Reply> replies;
  int accepted = 0;
  int delivered = 0;
  int dropped = 0;

  void accept() {
    for (unsigned slot = 0; slot < peers.size(); ++slot) {
      if (peers[slot] != 0) continue;
      peers[slot] = ++accepted;
      on_accept(table, slot);
      return;
    }
  }
  void close(unsigned slot) {
    if (peers[slot] == 0) return;
    peers[slot] = 0;
    on_close(table, slot);
  }
  void ask(unsigned slot) {
    if (peers[slot] != 0) replies.push_back({mark_of(table, slot), peers[slot]});
  }
  void reply(std::size_t place) {
    if (replies.empty()) return;
    const Reply ready = replies[place % replies.size()];
    replies.erase(replies.begin() + static_cast<std::ptrdiff_t>(place % replies.size()));
    int where = nobody;
    for (unsigned slot = 0; slot < peers.size(); ++slot) {
      if (peers[slot] == ready.peer) where = static_cast<int>(slot);
    }
    const int yours = whom_to_reply(table, ready.mark);
    if (yours == where) {
      ++(where == nobody ? dropped : delivered);
      return;
    }
    const std::string of = "the reply to peer " + std::to_string(ready.peer);
    if (yours == nobody) {
      lab::fail(of + " was dropped, and that peer waits in slot " + std::to_string(where),
                "YOUR TURN 2 and 3: only another generation means another peer");
    }
    const int wrong = peers.at(static_cast<std::size_t>(yours));
    lab::fail(of + (wrong == 0 ? " goes to slot " + std::to_string(yours) + ", which is empty"
                               : " goes to peer " + std::to_string(wrong) + ", who is in slot " +
                                     std::to_string(yours) + " now"),
              "YOUR TURN 1, 2 and 3: a slot is not a connection");
  }
};

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Judge judge;
  std::mt19937 random(14);
  const auto below = [&](unsigned limit) { return static_cast<unsigned>(random()) % limit; };
  for (int step = 0; step < 100'000; ++step) {
    switch (below(5)) {
      case 0:
      case 1:
        judge.accept();
        break;
      case 2:
        judge.close(below(4));
        break;
      case 3:
        judge.ask(below(4));
        break;
      default:
        judge.reply(below(64));
    }
  }
  std::printf("%d peers, %d replies delivered, %d dropped, none to the wrong one\n", judge.accepted,
              judge.delivered, judge.dropped);
  return lab::ok();
}

}  // namespace check
