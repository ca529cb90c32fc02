// The rules for a ring that a stranger will use: one solution.
// `./lab exercise 04-11` runs it; check.hpp judges it.
#include "04-advanced/11-restrictions/check.hpp"

namespace {

int make_rules(io_uring& ring) {
  io_uring_restriction rules[3]{};
  unsigned count = 0;

  rules[count].opcode = IORING_RESTRICTION_SQE_OP;
  rules[count++].sqe_op = IORING_OP_READ;

  rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
  rules[count++].sqe_flags = IOSQE_FIXED_FILE;

  rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
  rules[count++].register_op = IORING_REGISTER_ENABLE_RINGS;

  return io_uring_register_restrictions(&ring, rules, count);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return exercise::Judge(lesson).run(&make_rules);
}
