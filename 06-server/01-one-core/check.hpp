// Judges the exercise of 06-server/01-one-core: no kernel, only clients that come, wait and go, and
// an operator new that counts. Nobody edits this file.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

namespace check {

inline bool counting = false;
inline unsigned long allocations = 0;

}  // namespace check

void* operator new(std::size_t size) {
  if (check::counting) ++check::allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace check {

/// What `call` returns. Ends the program if it allocates.
template <class Call>
auto serving(const std::string& what, const char* look, Call call) {
  allocations = 0;
  counting = true;
  struct Stop {
    ~Stop() { counting = false; }
  };
  auto result = [&] {
    const Stop stop;
    return call();
  }();
  if (allocations != 0) lab::fail(what + " allocated memory while the server serves", look);
  return result;
}

/// Plays the server's loop: it knows who is connected and who waits, and compares.
template <class Table, class Connection>
class Loop {
 public:
  explicit Loop(unsigned connections_max) : table_(connections_max) {}

  Connection* open(int fd) {
    Connection* one = serving("open() of client " + std::to_string(fd),
                              "YOUR TURN 1: the pool is made in the constructor",
                              [&] { return table_.open(fd); });
    if (one != nullptr && one->fd != fd) {
      lab::fail(
          "client " + std::to_string(fd) + " got the connection of " + std::to_string(one->fd),
          "YOUR TURN 1: a new connection begins with the descriptor of its client");
    }
    return one;
  }

  void wait(Connection& one) {
    serving("wait() of client " + std::to_string(one.fd),
            "YOUR TURN 2: the links of the line are inside the connections", [&] {
              table_.wait(one);
              return true;
            });
  }

  void close(Connection& one) {
    serving("close() of client " + std::to_string(one.fd), "YOUR TURN 3", [&] {
      table_.close(one);
      return true;
    });
  }

  /// A buffer came home; `wanted` is whose it is, null: nobody's.
  void expect_grant(const Connection* wanted, const std::string& when, const char* look) {
    const Connection* one = serving("grant()", look, [&] { return table_.grant(); });
    if (one == wanted) return;
    const auto name = [](const Connection* who) {
      return who == nullptr ? std::string("nobody") : "client " + std::to_string(who->fd);
    };
    lab::fail(when + ": " + name(one) + " got the buffer, and it was " + name(wanted) + "'s turn",
              look);
  }

 private:
  Table table_;
};

constexpr unsigned places = 200;

/// All places are taken, all wait, and one client is too many.
template <class Table, class Connection>
void judge_full_house() {
  Loop<Table, Connection> loop(places);
  std::vector<Connection*> all;
  all.reserve(places);
  for (unsigned fd = 0; fd < places; ++fd) {
    all.push_back(loop.open(static_cast<int>(fd)));
    if (all.back() == nullptr) {
      lab::fail(std::to_string(fd) + " of " + std::to_string(places) +
                    " clients found a place, and the next one none",
                "YOUR TURN 1: room for connections_max");
    }
  }
  if (loop.open(places) != nullptr) {
    lab::fail("there is a place for client " + std::to_string(places + 1) + " of " +
                  std::to_string(places),
              "YOUR TURN 1: null when all places are taken; the server then closes that client");
  }
  for (Connection* one : all) loop.wait(*one);
  for (const Connection* one : all) {
    loop.expect_grant(one, "all wait", "YOUR TURN 2: first come, first served");
  }
  loop.expect_grant(nullptr, "nobody waits", "YOUR TURN 2: null when the line is empty");
  loop.close(*all[7]);
  all[7] = loop.open(1007);
  if (all[7] == nullptr) {
    lab::fail("a client has gone, and the next one finds no place",
              "YOUR TURN 3: close() gives the place back");
  }
  for (Connection* one : all) loop.close(*one);
}

/// Clients go while they wait: the first in line, one in the middle, the last.
template <class Table, class Connection>
void judge_leaving_the_line() {
  for (const std::size_t leaving : {0U, 1U, 2U}) {
    Loop<Table, Connection> loop(3);
    std::vector<Connection*> three;
    for (int fd = 0; fd < 3; ++fd) three.push_back(loop.open(fd));
    for (Connection* one : three) loop.wait(*one);
    const std::string when = "client " + std::to_string(leaving) + " of three left the line";
    loop.close(*three[leaving]);
    three[leaving] = loop.open(10);  // in the place that has become free; it does not wait
    for (std::size_t index = 0; index < 3; ++index) {
      if (index == leaving) continue;
      loop.expect_grant(three[index], when, "YOUR TURN 3: a connection leaves the line first");
    }
    loop.expect_grant(nullptr, when, "YOUR TURN 3: who came into its place has not asked");
    loop.wait(*three[leaving]);
    loop.expect_grant(three[leaving], "the one who came into its place waits", "YOUR TURN 3");
    for (Connection* one : three) loop.close(*one);
  }
}

/// Ends the program with words when the table is wrong.
template <class Table, class Connection>
int judge(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  judge_full_house<Table, Connection>();
  judge_leaving_the_line<Table, Connection>();
  std::printf("%u clients came, waited and went: no allocation while they did\n", places);
  return lab::ok();
}

}  // namespace check
