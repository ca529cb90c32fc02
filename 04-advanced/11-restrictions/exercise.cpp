// The rules for a ring that a stranger will use: reads of registered files, and nothing else.
// `./lab exercise 04-11` runs it; check.hpp judges it.
#include "04-advanced/11-restrictions/check.hpp"

namespace {

int make_rules(io_uring& ring) {
  io_uring_restriction rules[4]{};
  unsigned count = 0;

  // YOUR TURN 1: this rule allows the wrong operation.
  rules[count].opcode = IORING_RESTRICTION_SQE_OP;
  rules[count++].sqe_op = IORING_OP_NOP;

  // YOUR TURN 2: a read may name only a slot, never a descriptor. Which kind of rule says so?

  // This one stays: no register call but one that does no harm, on kernels after 6.18, too.
  rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
  rules[count++].register_op = IORING_REGISTER_ENABLE_RINGS;

  return io_uring_register_restrictions(&ring, rules, count);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return exercise::Judge(lesson).run(&make_rules);
}
