// One way to do it.
#include "01-core/16-ring/check.hpp"

namespace {

using exercise::armed_count;
using exercise::bug;
using exercise::Completion;

void arm(Completion& completion) {
  if (completion.armed) return bug("armed twice");
  completion.armed = true;
  ++armed_count;
}

void deliver(Completion& completion, int res, unsigned flags) {
  if (!completion.armed) return bug("a CQE for what is not armed");
  if ((flags & IORING_CQE_F_MORE) == 0) {
    completion.armed = false;
    --armed_count;
  }
  completion.handler(completion, res);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return exercise::Judge(&arm, &deliver).run();
}
