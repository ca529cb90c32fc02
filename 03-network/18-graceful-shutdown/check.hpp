// Judges the exercise of 03-network/18-graceful-shutdown. It plays the kernel: the CQEs of a
// connection that is being ended come by hand, in every order that is possible. Nobody edits this
// file.
#pragma once

#include <liburing.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

/// As in graceful_shutdown.cpp. take() keeps both fields.
struct Operation {
  bool armed = true;       // until its last CQE
  bool result_due = true;  // until its result; a notification is none
};

/// A connection in step 3: a receive and a send are in flight, and so is a cancel of each.
struct Connection {
  Operation receive;
  Operation send;
  Operation cancel_receive;
  Operation cancel_send;
  bool closed = false;  // close_socket() sets it
};

/// Closes the socket, with a reset if the send is armed. Only once.
void close_socket(Connection& connection);
/// Gives back the memory: buffers, and the connection itself. Only once, and nothing comes after.
void free_connection(Connection& connection);

// Yours, in exercise.cpp.
void take(Operation& operation, unsigned flags);
void next_step(Connection& connection);

namespace check {

struct Event {
  const char* words;
  Operation Connection::*operation;
  unsigned flags;
};

// One order of the events, of which the first `seen` have come.
struct Judge {
  std::vector<Event> events;
  std::size_t seen = 0;
  bool closed = false;
  bool freed = false;

  // How many CQEs of this operation have come; with `last`, only its last one counts.
  std::ptrdiff_t came(Operation Connection::*operation, bool last) const {
    return std::count_if(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(seen),
                         [operation, last](const Event& event) {
                           const bool more = (event.flags & IORING_CQE_F_MORE) != 0;
                           return event.operation == operation && !(last && more);
                         });
  }
  bool ended(Operation Connection::*operation) const { return came(operation, true) > 0; }
  bool send_has_result() const { return came(&Connection::send, false) > 0; }

  [[noreturn]] void fail(const std::string& what, const char* look) const {
    std::string order = "these CQEs came:";
    for (std::size_t index = 0; index < seen; ++index) {
      order += std::string(index == 0 ? " " : ", ") + events[index].words;
    }
    std::printf("%s\n", order.c_str());
    lab::fail(what, look);
  }

  void on_close() {
    if (closed) fail("the socket was closed a second time", "YOUR TURN 2: closed says it");
    if (!ended(&Connection::receive)) {
      fail("the socket was closed, but the receive is armed and holds it open",
           "YOUR TURN 2: after the receive's last CQE; data with F_MORE is not its last");
    }
    if (!send_has_result()) {
      fail("the socket was closed before the result of the send", "YOUR TURN 2");
    }
    closed = true;
  }

  void on_free() {
    if (!closed) fail("the connection was freed, and its socket is open", "YOUR TURN 3");
    if (freed) fail("the connection was freed a second time", "YOUR TURN 3");
    if (!ended(&Connection::send)) {
      fail("the memory was freed, but the send still reads it: its notification is due",
           "YOUR TURN 1: which CQE ends an operation? YOUR TURN 3: who is armed?");
    }
    if (!ended(&Connection::cancel_receive) || !ended(&Connection::cancel_send)) {
      fail("the connection was freed, and the CQE of a cancel will still be delivered to it",
           "YOUR TURN 3: a cancel is an operation like the others");
    }
    freed = true;
  }

  // After next_step(): was anything left undone that nothing else will start?
  void on_step_done() const {
    const bool results = ended(&Connection::receive) && send_has_result() &&
                         ended(&Connection::cancel_receive) && ended(&Connection::cancel_send);
    if (results && !closed) {
      fail("every result is there, and the socket is still open",
           "YOUR TURN 2: do not wait for the notification. A peer that does not read keeps it back "
           "until the socket is reset");
    }
    if (results && ended(&Connection::send) && !freed) {
      fail("nothing is armed and the socket is closed, but the memory was not freed",
           "YOUR TURN 3");
    }
  }
};

inline Judge judge;

// No kernel sends a CQE of an operation before an earlier one of the same.
inline bool possible(const std::vector<Event>& order) {
  for (auto first = order.begin(); first != order.end(); ++first) {
    for (auto later = first + 1; later != order.end(); ++later) {
      const bool first_is_last = (first->flags & IORING_CQE_F_MORE) == 0;
      if (first->operation == later->operation && first_is_last) return false;
    }
  }
  return true;
}

inline void story(const char* title, std::vector<Event> events) {
  const auto by_name = [](const Event& one, const Event& other) {
    return std::string(one.words) < other.words;
  };
  std::sort(events.begin(), events.end(), by_name);
  int orders = 0;
  do {
    if (!possible(events)) continue;
    ++orders;
    judge = {.events = events};
    Connection connection;
    for (const Event& event : events) {
      ++judge.seen;
      take(connection.*event.operation, event.flags);
      next_step(connection);
      judge.on_step_done();
    }
  } while (std::next_permutation(events.begin(), events.end(), by_name));
  std::printf("%s: right in all %d orders\n", title, orders);
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  constexpr unsigned more = IORING_CQE_F_MORE;
  const Event receive{"the receive's last", &Connection::receive, 0};
  const Event data{"data of the receive (F_MORE)", &Connection::receive, more};
  const Event result{"the send's result (F_MORE)", &Connection::send, more};
  const Event only_result{"the send's result", &Connection::send, 0};
  const Event notification{"the send's notification", &Connection::send, IORING_CQE_F_NOTIF};
  const Event cancels[] = {{"the cancel of the receive", &Connection::cancel_receive, 0},
                           {"the cancel of the send", &Connection::cancel_send, 0}};
  story("a plain send", {receive, only_result, cancels[0], cancels[1]});
  story("a zero-copy send", {receive, result, notification, cancels[0], cancels[1]});
  story("a multishot receive that brings data to the last",
        {data, receive, result, notification, cancels[0], cancels[1]});
  return lab::ok();
}

}  // namespace check

inline void close_socket(Connection& connection) {
  check::judge.on_close();
  connection.closed = true;
}

inline void free_connection(Connection&) { check::judge.on_free(); }
