// shows: a rule that never looks at what the kernel reports
// needs: nothing of the kernel: the CQEs are made by hand
// try:   ./lab exercise 05-07, change the rule, run it again
#include "05-performance/07-send-vs-zc/check.hpp"

namespace {

/// Zero copy or not, send by send. It begins with zero copy, stops when most reports say "copied",
/// tries again with one large send in some hundreds, and comes back when the reports are good.
class Rule {
 public:
  /// Asked before each send of `bytes`.
  bool zero_copy([[maybe_unused]] unsigned bytes) {
    // YOUR TURN 1: small sends never (check::size_min). Large sends while the reports are good;
    // else only now and then.
    return true;
  }

  /// Gets every CQE of every zero-copy send.
  void on_cqe([[maybe_unused]] const io_uring_cqe& cqe) {
    // YOUR TURN 2: is it a report at all? If so, remember what it says.
  }

 private:
  // YOUR TURN 3: what has to be remembered. Old reports must lose their weight.
};

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return check::judge<Rule>();
}
