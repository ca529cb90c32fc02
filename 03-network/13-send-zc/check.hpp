// Judges exercise.cpp and solution.cpp of this lesson. It plays the kernel: on loopback a buffer
// that comes home too early often does no harm, so the CQEs are made by hand here, in the orders
// that hurt.
#pragma once

#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <initializer_list>
#include <string>

#include "01-core/lesson.hpp"

namespace lab {

/// What the connection does. The judge reads it after every CQE.
class Desk {
 public:
  /// The stream may send its next message: this one's bytes have their place in the stream.
  void send_next() { ++sends_; }
  /// The connection is broken: no further send.
  void close_connection() { ++closes_; }
  /// The buffer may be filled again, from now on.
  void give_back(unsigned buffer) { ++returns_.at(buffer); }

 private:
  friend class Judge;
  int sends_ = 0;
  int closes_ = 0;
  std::array<int, 2> returns_{};
};

class Judge {
 public:
  using OnCqe = void (*)(Desk&, unsigned buffer, const io_uring_cqe& cqe);

  explicit Judge(OnCqe on_cqe) : on_cqe_(on_cqe) {}

  int run() {
    constexpr unsigned more = IORING_CQE_F_MORE;
    constexpr unsigned notification = IORING_CQE_F_NOTIF;
    const int copied = static_cast<int>(IORING_NOTIF_USAGE_ZC_COPIED);
    story("a send that works", {{0, 900, more, 1, 0, 0}, {0, 0, notification, 0, 0, 1}});
    story("a send that fails at once, and owes nothing", {{0, -EINVAL, 0, 0, 1, 1}});
    story("a send that fails late, and still owes its notification",
          {{0, -EPIPE, more, 0, 1, 0}, {0, 0, notification, 0, 0, 1}});
    story("a notification with the usage report",
          {{0, 900, more, 1, 0, 0}, {0, copied, notification, 0, 0, 1}});
    story("two sends, and the younger one's notification comes first",
          {{0, 900, more, 1, 0, 0},
           {1, 900, more, 1, 0, 0},
           {1, 0, notification, 0, 0, 1},
           {0, 0, notification, 0, 0, 1}});
    return ok();
  }

 private:
  // One CQE by hand, and what on_cqe() shall do when it gets it.
  struct Step {
    unsigned buffer;
    int res;
    unsigned flags;
    int sends;
    int closes;
    int returns;
  };

  void story(const char* title, std::initializer_list<Step> steps) {
    std::printf("%s\n", title);
    for (const Step& step : steps) {
      Desk desk;
      io_uring_cqe cqe{};
      cqe.res = step.res;
      cqe.flags = step.flags;
      on_cqe_(desk, step.buffer, cqe);
      const std::string here = words(step);
      const int returned = desk.returns_[step.buffer];
      if (desk.returns_[1 - step.buffer] != 0) fail("at " + here + " another buffer came back");
      if (returned > step.returns && step.returns == 0) {
        fail("the buffer came back at " + here + ": the kernel still reads it",
             "F_MORE promises another CQE of the same send; wait for it");
      }
      if (returned < step.returns) {
        fail("the buffer did not come back at " + here + ": nothing more comes for this send",
             "which flag says that this CQE is the last one?");
      }
      expect(here, "give_back()", returned, step.returns);
      expect(here, "send_next()", desk.sends_, step.sends);
      expect(here, "close_connection()", desk.closes_, step.closes);
    }
  }

  static std::string words(const Step& step) {
    std::string flags;
    if ((step.flags & IORING_CQE_F_MORE) != 0) flags = "F_MORE";
    if ((step.flags & IORING_CQE_F_NOTIF) != 0) flags = "F_NOTIF";
    return "the CQE {res " + std::to_string(step.res) + ", flags " + (flags.empty() ? "0" : flags) +
           "}";
  }

  static void expect(const std::string& here, const std::string& call, int got, int wanted) {
    if (got == wanted) return;
    fail("at " + here + " " + call + " was called this often: " + std::to_string(got) +
             ", expected: " + std::to_string(wanted),
         "a result has a meaning for the stream; a notification has one for the memory only");
  }

  OnCqe on_cqe_;
};

}  // namespace lab
