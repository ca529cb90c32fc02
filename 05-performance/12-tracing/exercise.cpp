// Three programs on io_uring hang. Their fdinfo is all you get: name the cause of each.
// `./lab exercise 05-12` runs it; check.hpp judges it.
#include "05-performance/12-tracing/check.hpp"

namespace {

using exercise::Answer;
using exercise::Cause;

// The causes to choose from:
//   Cause::nothing_published  SQEs may have been prepared; none was ever submitted
//   Cause::not_taken          SQEs were published, and the kernel does not take them
//   Cause::not_read           CQEs are there, and the program does not read them
//   Cause::overflowed         more CQEs than the CQ has places
//   Cause::nothing_arrives    requests wait for a file that does not become ready
// how_many: of the SQEs, CQEs or requests that the cause names.

// YOUR TURN 1: why does program 1 hang?
constexpr Answer first{.cause = Cause::unknown, .how_many = 0};

// YOUR TURN 2: and program 2?
constexpr Answer second{.cause = Cause::unknown, .how_many = 0};

// YOUR TURN 3: and program 3?
constexpr Answer third{.cause = Cause::unknown, .how_many = 0};

}  // namespace

int main(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  return exercise::judge({first, second, third});
}
