// Three programs on io_uring hang: the cause of each, from its fdinfo.
// `./lab solution 05-12` runs it; check.hpp judges it.
#include "05-performance/12-tracing/check.hpp"

namespace {

using exercise::Answer;
using exercise::Cause;

// CqTail 12, CqHead 5: seven CQEs are there. It sleeps until there are eight, and one request was
// told to answer only when it fails.
constexpr Answer first{.cause = Cause::not_read, .how_many = 7};

// Both queues are empty, and the PollList has three RECVs (27): nobody sends.
constexpr Answer second{.cause = Cause::nothing_arrives, .how_many = 3};

// SqTail 9, SqHead 4, and an SqThread: it sleeps, and the program did not wake it.
constexpr Answer third{.cause = Cause::not_taken, .how_many = 5};

}  // namespace

int main(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  return exercise::judge({first, second, third});
}
