// Judges arm() and deliver() with CQEs written by hand. Nobody edits this file.
#pragma once

#include <liburing.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"

namespace exercise {

/// As in ring.cpp.
struct Completion {
  void (*handler)(Completion&, int res) = nullptr;
  bool armed = false;
};

/// How many completions are armed. arm() and deliver() keep it.
inline int armed_count = 0;

inline std::string bug_found;
/// To be called, with a sentence, where only a bug of the program can lead. In a real program it
/// aborts; here the judge wants to see that you saw it.
inline void bug(const char* sentence) { bug_found = sentence; }

using Arm = void (*)(Completion&);
using Deliver = void (*)(Completion&, int res, unsigned flags);

class Judge {
 public:
  Judge(Arm arm, Deliver deliver) : arm_(arm), deliver_(deliver) {}

  int run() {
    one_answer();
    several_answers();
    only_the_flag_decides(-ENOBUFS, IORING_CQE_F_MORE, true);
    only_the_flag_decides(64, 0, false);
    handler_arms_again();
    answer_to_nobody();
    armed_twice();
    return lab::ok();
  }

 private:
  struct Recorder : Completion {
    explicit Recorder(Judge& owner) : judge(&owner) {
      handler = [](Completion& completion, int res) {
        auto& self = static_cast<Recorder&>(completion);
        ++self.calls;
        self.last_res = res;
        self.armed_in_handler = self.armed;
        if (self.arms_again) self.judge->arm_(self);
      };
    }
    Judge* judge;
    int calls = 0;
    int last_res = 0;
    bool armed_in_handler = false;
    bool arms_again = false;
  };

  void begin(const char* name) {
    name_ = name;
    bug_found.clear();
    armed_count = 0;
  }

  void want(bool fulfilled, const char* what, const char* look) const {
    if (fulfilled) return;
    lab::fail(std::string(name_) + ": " + what + (bug_found.empty() ? "" : "; bug(): " + bug_found),
              look);
  }

  void one_answer() {
    begin("one SQE, one CQE with res 5");
    Recorder one(*this);
    arm_(one);
    want(one.armed && armed_count == 1, "after arm() it is not armed, or not counted",
         "YOUR TURN 1");
    deliver_(one, 5, 0);
    want(one.calls == 1, "the handler was not called exactly once", "YOUR TURN 2");
    want(one.last_res == 5, "the handler did not get res", "YOUR TURN 2");
    want(!one.armed && armed_count == 0, "it is still armed after its last CQE", "YOUR TURN 3");
    want(bug_found.empty(), "bug() was called though all was well", "your conditions");
  }

  void several_answers() {
    begin("a multishot: two CQEs with F_MORE, one without");
    Recorder many(*this);
    arm_(many);
    deliver_(many, 1, IORING_CQE_F_MORE);
    want(many.armed && many.armed_in_handler, "it was disarmed by a CQE with F_MORE",
         "YOUR TURN 3");
    deliver_(many, 2, IORING_CQE_F_MORE);
    deliver_(many, 3, 0);
    want(many.calls == 3, "the handler was not called once for each CQE", "YOUR TURN 2");
    want(!many.armed && armed_count == 0, "it is still armed after its last CQE", "YOUR TURN 3");
  }

  void only_the_flag_decides(int res, unsigned flags, bool armed) {
    begin(armed ? "an error with F_MORE (a zero-copy send still owes its notification)"
                : "data without F_MORE (a multishot may end with data)");
    Recorder one(*this);
    arm_(one);
    deliver_(one, res, flags);
    want(one.armed == armed && armed_count == (armed ? 1 : 0),
         "res took part in the decision; only F_MORE may", "YOUR TURN 3");
  }

  void handler_arms_again() {
    begin("a handler that arms its completion again");
    Recorder one(*this);
    one.arms_again = true;
    arm_(one);
    deliver_(one, 1, 0);
    want(bug_found.empty(), "arm() in the handler found it armed",
         "the flag has to fall before the handler runs");
    want(one.armed && armed_count == 1, "after the handler armed it, it is not armed",
         "the flag has to fall before the handler runs, not after it");
  }

  void answer_to_nobody() {
    begin("a CQE for a completion that is not armed");
    Recorder one(*this);
    deliver_(one, 1, 0);
    want(!bug_found.empty(), "nobody called bug()", "the first check of deliver()");
    want(one.calls == 0 && armed_count == 0, "it was delivered all the same", "return after bug()");
  }

  void armed_twice() {
    begin("arm() on a completion that is armed");
    Recorder one(*this);
    arm_(one);
    arm_(one);
    want(!bug_found.empty(), "nobody called bug()", "the check of arm()");
    want(armed_count == 1, "it was counted twice", "return after bug()");
  }

  Arm arm_;
  Deliver deliver_;
  const char* name_ = "";
};

}  // namespace exercise
