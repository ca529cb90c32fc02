// Judges 01-core/09-links' exercise: runs the eight chains and compares what the kernel answers
// with what was predicted. It does not say the answer, only which chain to think about again.
#pragma once

#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

namespace check {

/// What a request will answer.
enum class Answer {
  unknown,
  done,      ///< res >= 0, also when it is fewer bytes than asked for
  failed,    ///< another error than the two below
  canceled,  ///< -ECANCELED
  expired,   ///< -ETIME
};

using Prediction = std::vector<Answer>;
using Predictions = std::array<Prediction, 8>;

enum class Step {
  nop,
  bad_read,     ///< reads file -1
  write_five,   ///< writes 5 bytes into the pipe
  read_eight,   ///< asks the pipe for 8 bytes
  timeout_30,   ///< a timeout of 30 ms
  limit_10,     ///< a link timeout of 10 ms
  submit_here,  ///< no request: what was prepared so far is submitted
};

struct Link {
  Step step;
  unsigned flags = 0;  ///< how it is tied to the next one
};

inline constexpr unsigned soft = IOSQE_IO_LINK;
inline constexpr unsigned hard = IOSQE_IO_HARDLINK;

/// The chains, in the order of the predictions. The pipe is empty when a chain begins.
inline const std::array<std::vector<Link>, 8> chains{{
    {{Step::nop, soft}, {Step::bad_read, soft}, {Step::nop, soft}, {Step::nop}},
    {{Step::bad_read, hard}, {Step::bad_read, soft}, {Step::nop}},
    {{Step::nop, soft}, {Step::nop}, {Step::bad_read, soft}, {Step::nop}},
    {{Step::write_five, soft}, {Step::read_eight, soft}, {Step::nop}},
    {{Step::write_five, soft}, {Step::read_eight, hard}, {Step::nop}},
    {{Step::nop, soft}, {Step::bad_read, soft}, {Step::submit_here}, {Step::nop}},
    {{Step::read_eight, soft}, {Step::limit_10, soft}, {Step::nop}},
    {{Step::timeout_30, hard}, {Step::nop, soft}, {Step::limit_10}},
}};

class Runner {
 public:
  explicit Runner(lab::Lesson& lesson) {
    lab::need(io_uring_queue_init(8, &ring_, 0), "io_uring_queue_init");
    lesson.watch(ring_);
  }
  ~Runner() { io_uring_queue_exit(&ring_); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  Prediction run(std::span<const Link> chain) {
    lab::need_errno(pipe(ends_.data()), "pipe");
    unsigned count = 0;
    for (const Link& link : chain) {
      if (link.step == Step::submit_here) {
        lab::need(io_uring_submit(&ring_), "io_uring_submit");
        continue;
      }
      io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
      prepare(sqe, link.step);
      io_uring_sqe_set_flags(sqe, link.flags);
      io_uring_sqe_set_data64(sqe, count++);
    }
    lab::need(io_uring_submit(&ring_), "io_uring_submit");
    Prediction answers(count);
    for (unsigned seen = 0; seen < count; ++seen) {
      io_uring_cqe* cqe = nullptr;
      lab::need(io_uring_wait_cqe(&ring_, &cqe), "io_uring_wait_cqe");
      answers.at(io_uring_cqe_get_data64(cqe)) = answer_of(cqe->res);
      io_uring_cqe_seen(&ring_, cqe);
    }
    close(ends_[0]);
    close(ends_[1]);
    return answers;
  }

 private:
  void prepare(io_uring_sqe* sqe, Step step) {
    switch (step) {
      case Step::nop:
        return io_uring_prep_nop(sqe);
      case Step::bad_read:
        return io_uring_prep_read(sqe, -1, nullptr, 0, 0);
      case Step::write_five:
        return io_uring_prep_write(sqe, ends_[1], "five!", 5, 0);
      case Step::read_eight:
        return io_uring_prep_read(sqe, ends_[0], buffer_.data(), 8, 0);
      case Step::timeout_30:
        return io_uring_prep_timeout(sqe, &slow_, 0, 0);
      case Step::limit_10:
        return io_uring_prep_link_timeout(sqe, &limit_, 0);
      case Step::submit_here:
        return;
    }
  }

  static Answer answer_of(int res) {
    if (res >= 0) return Answer::done;
    if (res == -ECANCELED) return Answer::canceled;
    return res == -ETIME ? Answer::expired : Answer::failed;
  }

  io_uring ring_{};
  std::array<int, 2> ends_{};
  std::array<char, 8> buffer_{};
  __kernel_timespec slow_{.tv_sec = 0, .tv_nsec = 30'000'000};
  __kernel_timespec limit_{.tv_sec = 0, .tv_nsec = 10'000'000};
};

inline int judge(lab::Lesson& lesson, const Predictions& predictions) {
  Runner runner(lesson);
  unsigned right = 0;
  for (unsigned index = 0; index < chains.size(); ++index) {
    const Prediction answers = runner.run(chains[index]);
    const Prediction& predicted = predictions[index];
    const char* verdict = "as predicted";
    if (predicted.size() != answers.size()) {
      verdict = "a prediction is needed for each request";
    } else if (predicted != answers) {
      verdict = "the kernel answered otherwise";
      for (const Answer answer : predicted) {
        if (answer == Answer::unknown) verdict = "not predicted yet";
      }
    } else {
      ++right;
    }
    std::printf("chain %u: %s\n", index + 1, verdict);
  }
  if (right == chains.size()) return lab::ok();
  lab::fail(std::to_string(right) + " of 8 chains are as predicted",
            "the rules are in the README; for one chain at a time say why, then change it");
}

}  // namespace check
