// Judges the exercise of 01-core/01-nop: it looks into both queues afterwards. Nobody edits this
// file.
#pragma once

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"

namespace check {

using Marks = std::array<unsigned long long, 3>;

inline constexpr Marks marks{11, 22, 33};

inline int judge(int argc, char** argv, void (*three_nops)(io_uring& ring, Marks& answers)) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Marks answers{};
  three_nops(ring, answers);
  if (const unsigned left = io_uring_sq_ready(&ring); left != 0) {
    lab::fail(std::to_string(left) + " SQEs are filled, and the kernel has not been told",
              "io_uring_submit (YOUR TURN 2)");
  }
  if (const unsigned left = io_uring_cq_ready(&ring); left != 0) {
    lab::fail(std::to_string(left) + " of the 3 CQEs still occupy their places in the queue",
              "read all three, and io_uring_cqe_seen for each (YOUR TURN 3)");
  }
  std::sort(answers.begin(), answers.end());  // nothing promises an order
  if (answers != marks) {
    lab::fail("the marks of the answers are " + std::to_string(answers[0]) + ", " +
                  std::to_string(answers[1]) + ", " + std::to_string(answers[2]) +
                  ", not 11, 22, 33",
              "user_data of each SQE (YOUR TURN 1), read before the place is given back "
              "(YOUR TURN 3)");
  }
  io_uring_queue_exit(&ring);
  std::printf("3 NOPs, 3 answers, both queues are empty\n");
  return lab::ok();
}

}  // namespace check
