// The heart of an engine: two functions, and the one rule in them. `./lab exercise 01-16` runs it;
// check.hpp feeds it CQEs by hand.
#include "01-core/16-ring/check.hpp"

namespace {

using exercise::armed_count;
using exercise::bug;
using exercise::Completion;

void arm(Completion& completion) {
  // YOUR TURN 1: a completion that is armed already is a bug: say so with bug("...") and return.
  // Otherwise it is armed from here on, and counted in armed_count.
  (void)completion;
}

void deliver(Completion& completion, int res, unsigned flags) {
  // YOUR TURN 2: a CQE for a completion that is not armed is a bug: bug("..."), and return.
  // Otherwise its handler gets the completion and res.

  // YOUR TURN 3: when was this the last CQE? Then it is armed no longer. Mind the order: a handler
  // may call arm() for its own completion.
  (void)completion, (void)res, (void)flags;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return exercise::Judge(&arm, &deliver).run();
}
