// Judges the exercise of 04-advanced/05-msg-ring: 10,000 messages from one ring to another, whose
// CQ has 8 entries. Nobody edits this file.
#pragma once

#include <liburing.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"

constexpr unsigned messages = 10'000;
constexpr unsigned queue_entries = 8;  ///< the receiver's CQ

/// The sending side. `next` is yours to move; `credits` is how many messages may be under way.
struct Sender {
  unsigned next = 0;
  unsigned credits = queue_entries;
};

/// Sends one message to the receiver.
void send(unsigned value);

/// Sends one message back: the receiver has read `count` messages.
void acknowledge(unsigned count);

// Yours, in exercise.cpp. None of them waits: each does what can be done now, and returns.
void send_more(Sender& sender);
void on_acknowledged(Sender& sender, unsigned count);
void on_received(unsigned count);

namespace check {

constexpr unsigned batches_max = messages / 4;  // batches of 4 would do

enum : std::uint64_t { failed = 1, data = 2, acknowledgement = 3 };

struct Judge {
  Sender sender{};
  io_uring here{};   // the sender's
  io_uring there{};  // the receiver's
  unsigned sent = 0;
  unsigned received = 0;
  unsigned acknowledgements = 0;
  unsigned batches = 0;
};

inline Judge judge;

inline void post(io_uring& from, const io_uring& to, std::uint64_t what, unsigned value) {
  io_uring_sqe* sqe = io_uring_get_sqe(&from);
  io_uring_prep_msg_ring(sqe, to.ring_fd, value, what, 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;  // only a failure is worth a CQE of our own
  io_uring_sqe_set_data64(sqe, failed);
  lab::need(io_uring_submit(&from), "io_uring_submit");
}

inline void take_message(const io_uring_cqe& cqe) {
  lab::need(cqe.user_data == failed ? cqe.res : 0, "a message back");
  const unsigned value = static_cast<unsigned>(cqe.res);
  if (value != judge.received) {
    lab::fail("message " + std::to_string(judge.received) + " was expected, " +
                  std::to_string(value) + " came",
              "each once, in order: look at `next` in YOUR TURN 1");
  }
  ++judge.received;
}

// Five at most. Then some lie unread while the sender hears of a batch, and what it thinks to be
// free has to be free: a queue that is always emptied would hide a wrong count.
inline void receive_batch() {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&judge.there, head, cqe) {
    take_message(*cqe);
    if (++count == 5) break;
  }
  io_uring_cq_advance(&judge.there, count);
  ++judge.batches;
  on_received(count);
}

inline void take_acknowledgement() {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_peek_cqe(&judge.here, &cqe), "io_uring_peek_cqe");
  const io_uring_cqe copy = *cqe;
  io_uring_cqe_seen(&judge.here, cqe);
  lab::need(copy.user_data == failed ? copy.res : 0, "a message");
  on_acknowledged(judge.sender, static_cast<unsigned>(copy.res));
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE;
  params.cq_entries = queue_entries;
  lab::need(io_uring_queue_init_params(4, &judge.there, &params), "io_uring_queue_init_params");
  lab::need(io_uring_queue_init(64, &judge.here, 0), "io_uring_queue_init");
  lesson.watch(judge.there);

  // Both sides take turns in one thread, so every run is the same.
  send_more(judge.sender);
  while (judge.received < messages) {
    if (io_uring_cq_ready(&judge.here) != 0) {
      take_acknowledgement();
    } else if (io_uring_cq_ready(&judge.there) != 0) {
      receive_batch();
    } else {
      lab::fail("after " + std::to_string(judge.received) +
                    " messages both sides sleep, and nothing is under way",
                "who tells the sender that there is room? look at YOUR TURN 2 and 3");
    }
  }
  std::printf("%u messages, received in %u batches, %u acknowledgements\n", judge.received,
              judge.batches, judge.acknowledgements);
  if (judge.batches > batches_max) {
    lab::fail("the receiver was woken " + std::to_string(judge.batches) + " times; " +
                  std::to_string(batches_max) + " must be enough",
              "send as many as there are credits for: look at YOUR TURN 1 and 2");
  }
  io_uring_queue_exit(&judge.here);
  io_uring_queue_exit(&judge.there);
  return lab::ok();
}

}  // namespace check

inline void send(unsigned value) {
  check::Judge& judge = check::judge;
  if (judge.sent >= messages) lab::fail("more was sent than the 10,000 messages");
  if (judge.sent - judge.received == queue_entries) {
    lab::fail(
        "a message was sent while 8 lie unread in the receiver's CQ: this one goes to the "
        "overflow list, which is the kernel's memory and has no bound",
        "stop when no credit is left, and get back only what was read: look at YOUR TURN 1 to 3");
  }
  ++judge.sent;
  check::post(judge.here, judge.there, check::data, value);
}

inline void acknowledge(unsigned count) {
  check::Judge& judge = check::judge;
  if (++judge.acknowledgements > judge.batches) {
    lab::fail("more than one acknowledgement for one batch",
              "a message carries a number: look at YOUR TURN 3");
  }
  check::post(judge.there, judge.here, check::acknowledgement, count);
}
