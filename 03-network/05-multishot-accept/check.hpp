// Judges the exercise: first a real listener with too few descriptors, then CQEs fed by hand.
// Nobody needs to edit it.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace lab {

// How many SQEs the learner's code prepared on this ring since the last look.
class SqeCounter {
 public:
  explicit SqeCounter(io_uring& ring) : ring_(ring), seen_(ring.sq.sqe_tail) {}
  int fresh() {
    const unsigned before = seen_;
    seen_ = ring_.sq.sqe_tail;
    return static_cast<int>(seen_ - before);
  }

 private:
  io_uring& ring_;
  unsigned seen_;
};

// 16 clients connect and 8 descriptors are free. Each time the accept ends with -EMFILE, three
// connections are closed.
template <class Acceptor>
void judge_real_listener(io_uring& ring, int listener, std::uint16_t port) {
  constexpr int clients_count = 16;
  constexpr int descriptors_free = 8;
  std::vector<int> clients;
  std::vector<int> fillers;
  std::vector<int> connections;
  for (int index = 0; index < clients_count; ++index) clients.push_back(connect_to(port));
  for (int fd = 0; (fd = fcntl(listener, F_DUPFD_CLOEXEC, 0)) >= 0;) fillers.push_back(fd);
  for (int index = 0; index < descriptors_free; ++index) {
    close(fillers.back());
    fillers.pop_back();
  }

  Acceptor acceptor{ring, listener};
  SqeCounter sqes(ring);
  acceptor.start();
  int armed = sqes.fresh();
  int prepared = armed;
  int accepted = 0;
  bool exhausted = false;
  const auto look = [&](const char* where) {
    const int fresh = sqes.fresh();
    armed += fresh;
    prepared += fresh;
    if (armed > 1)
      fail("two accepts are armed on one listener after " + std::string(where),
           "arm only when the one before has ended: what do you have to remember?");
    if (prepared > clients_count / 2)
      fail("an SQE for every connection: that is not a multishot accept",
           "io_uring_prep_multishot_accept, as in start()");
  };

  while (accepted < clients_count) {
    if (armed == 0)
      fail(std::to_string(accepted) + " of " + std::to_string(clients_count) +
               " clients were accepted; the others wait for an accept that nobody armed",
           "the last CQE had no F_MORE; look at on_close()");
    need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    const int res = cqe->res;
    const unsigned flags = cqe->flags;
    io_uring_cqe_seen(&ring, cqe);
    if ((flags & IORING_CQE_F_MORE) == 0) --armed;
    if (res >= 0) {
      connections.push_back(res);
      ++accepted;
    } else if (res != -EMFILE) {
      need(res, "accept");
    }
    if (res == -EMFILE && exhausted)
      fail("-EMFILE twice, and no connection was closed between: this spins",
           "after -EMFILE wait for on_close(), which is when a descriptor is free");
    acceptor.on_accept(res, flags);
    look("on_accept()");
    exhausted = res == -EMFILE && armed > 0;
    if (res != -EMFILE || exhausted) continue;
    for (int index = 0; index < 3; ++index) {
      close(connections.back());
      connections.pop_back();
      acceptor.on_close();
      look("on_close()");
    }
  }
  std::printf("%d clients through %d descriptors, SQEs: %d\n", accepted, descriptors_free,
              prepared);
  for (const std::vector<int>& list : {clients, fillers, connections}) {
    for (const int fd : list) close(fd);
  }
}

// What does not happen on a quiet loopback. This ring is never submitted.
template <class Acceptor>
void judge_fed_by_hand(io_uring& ring, int listener) {
  Acceptor acceptor{ring, listener};
  SqeCounter sqes(ring);
  const auto expect = [&](int wanted, const std::string& event, const std::string& why) {
    const int fresh = sqes.fresh();
    if (fresh == wanted) return;
    fail(event + ": expected " + std::to_string(wanted) + " new SQEs, found " +
             std::to_string(fresh),
         why);
  };
  acceptor.start();
  expect(1, "start()", "leave start() as it was");
  acceptor.on_accept(100, IORING_CQE_F_MORE);
  expect(0, "a connection with F_MORE", "the accept is still armed");
  acceptor.on_close();
  expect(0, "a close while the accept is armed", "one accept is enough");
  acceptor.on_accept(101, 0);
  expect(1, "a connection without F_MORE", "a multishot may end with a success: arm again");
  acceptor.on_accept(-ECONNABORTED, 0);
  expect(1, "-ECONNABORTED", "only this client is gone, and descriptors are free: arm again");
  acceptor.on_accept(-EMFILE, 0);
  expect(0, "-EMFILE", "there is no descriptor until one is closed");
  acceptor.on_close();
  expect(1, "the first close after -EMFILE", "now there is a descriptor: arm again");
  acceptor.on_close();
  expect(0, "the second close after -EMFILE", "the first one has armed the accept already");
  std::puts("fed by hand: as it should be");
}

/// Exercises the learner's Acceptor. Ends the program with words when it is wrong.
template <class Acceptor>
int judge(int argc, char** argv) {
  Lesson lesson(argc, argv);
  rlimit limit{};
  need_errno(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = 64;
  need_errno(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  std::uint16_t port = 0;
  const int listener = listen_on_loopback(port);
  io_uring ring;
  need(io_uring_queue_init(32, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  judge_real_listener<Acceptor>(ring, listener, port);
  io_uring_queue_exit(&ring);
  need(io_uring_queue_init(32, &ring, 0), "io_uring_queue_init");
  judge_fed_by_hand<Acceptor>(ring, listener);
  io_uring_queue_exit(&ring);
  close(listener);
  return ok();
}

}  // namespace lab
