// Judges the exercise of 03-network/10-back-pressure. It plays the kernel and the peer: CQEs and
// sends come in 20,000 steps of many orders, always the same ones. Nobody edits this file.
#pragma once

#include <cstdio>
#include <deque>
#include <random>
#include <string>

#include "01-core/lesson.hpp"

inline constexpr unsigned high_water = 8;
inline constexpr unsigned low_water = 4;

enum class Receiving { paused, armed, pausing };

struct Connection {
  Receiving receiving = Receiving::paused;  // yours
  unsigned held = 0;                        // buffers in its outbox
  bool receive_armed = false;               // until the receive's last CQE
};

/// Starts the multishot receive.
void start_receive(Connection& connection);
/// Starts a cancel of it. The cancel has a CQE of its own, and the receive has its last one.
void start_cancel(Connection& connection);

// Yours, in exercise.cpp.
void steer(Connection& connection);
void on_receive_ended(Connection& connection);
void on_cancel(Connection& connection);

namespace check {

struct Judge {
  Connection connection;
  bool cancel_armed = false;
  bool found = false;  // the cancel hit the receive: its last CQE is on the way
  unsigned pauses = 0;
  std::deque<std::string> events;  // the last few
  std::mt19937 random{17};

  unsigned below(unsigned limit) { return static_cast<unsigned>(random()) % limit; }

  void happened(const std::string& event) {
    events.push_back(event + ", " + std::to_string(connection.held) + " held");
    if (events.size() > 6) events.pop_front();
  }

  [[noreturn]] void fail(const std::string& what, const char* look) const {
    std::printf("What happened last:\n");
    for (const std::string& event : events) std::printf("  %s\n", event.c_str());
    lab::fail(what, look);
  }

  void on_start_receive() {
    if (connection.receive_armed) {
      fail("a second receive was started: it steals bytes from the first",
           "YOUR TURN 2 and 3: paused has to mean that nothing is armed");
    }
    if (cancel_armed) {
      fail("a receive was started while the cancel is in flight, which may hit this new receive",
           "YOUR TURN 2: it is still pausing until the cancel's own CQE");
    }
    if (connection.held > low_water) {
      fail("receiving began again above the low-water mark", "YOUR TURN 1");
    }
    connection.receive_armed = true;
    found = false;
    happened("you started a receive");
  }

  void on_start_cancel() {
    if (cancel_armed) fail("a second cancel, and the first is still in flight", "YOUR TURN 2");
    if (!connection.receive_armed) fail("a cancel, but no receive is armed", "YOUR TURN 2");
    if (connection.held <= high_water) {
      fail("a pause at or below the high-water mark", "steer: only above it");
    }
    cancel_armed = true;
    ++pauses;
    happened("you started a cancel");
  }

  // After steer(): something has to be on its way that lets this connection go on.
  void on_steered() const {
    if (connection.receive_armed && !cancel_armed && connection.held > high_water) {
      fail("above the high-water mark it goes on receiving: no cancel is in flight",
           "YOUR TURN 3: the receive may still be armed when the cancel's CQE comes");
    }
    if (!connection.receive_armed && !cancel_armed && connection.held <= low_water) {
      fail("at the low-water mark and nothing is armed: this connection is deaf from now on",
           "YOUR TURN 3: what is it when both CQEs have come?");
    }
  }

  void receive_ends(const char* event) {
    connection.receive_armed = false;
    happened(event);
    on_receive_ended(connection);
  }

  // One thing that may happen now. Returns false when the dice named one that may not.
  bool step() {
    switch (below(5)) {
      case 0:
      case 1:
        if (!connection.receive_armed || found || connection.held == 64) return false;
        ++connection.held;
        if (below(8) == 0) {
          receive_ends("bytes in the receive's last CQE");
        } else {
          happened("bytes");
        }
        return true;
      case 2:
        if (connection.held == 0) return false;
        --connection.held;
        happened("a send is done");
        return true;
      case 3:
        if (!cancel_armed) return false;
        cancel_armed = false;
        found = found || (connection.receive_armed && below(2) == 0);
        happened(found ? "the cancel's CQE: 0" : "the cancel's CQE: nothing found");
        on_cancel(connection);
        return true;
      default:
        if (!connection.receive_armed || !(found || cancel_armed)) return false;
        found = true;  // and the cancel's CQE may still be due: they come in either order
        receive_ends("the receive's last CQE: -ECANCELED");
        return true;
    }
  }
};

inline Judge judge;

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  steer(judge.connection);
  judge.on_steered();
  for (int steps = 0; steps < 20'000;) {
    if (!judge.step()) continue;
    ++steps;
    steer(judge.connection);
    judge.on_steered();
  }
  std::printf("20000 events, %u cancels: never deaf, never two receives\n", judge.pauses);
  return lab::ok();
}

}  // namespace check

inline void start_receive(Connection&) { check::judge.on_start_receive(); }
inline void start_cancel(Connection&) { check::judge.on_start_cancel(); }
