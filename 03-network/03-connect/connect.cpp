// shows: connect as an operation, with a time limit linked to it; two addresses that race, and the
//        loser that is cancelled and joined
// needs: Linux 5.5
// try:   ./lab run 03/03; then let the first port of the last race refuse, and see how long the
//        second has to wait
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

// [walk tags]
// What user_data says of a CQE.
enum Tag : unsigned { first, second, limit, head_start, cancel };
// [/walk]

struct Done {
  Tag tag;
  int res;
};

Done next_done(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const Done done{static_cast<Tag>(io_uring_cqe_get_data64(cqe)), cqe->res};
  io_uring_cqe_seen(&ring, cqe);
  return done;
}

const char* words(int res) { return res == 0 ? "0" : strerrorname_np(-res); }

__kernel_timespec timespec_of(long long milliseconds) {
  return {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
}

int make_socket() {
  return lab::need_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

// True while TCP goes on asking the peer.
bool still_tries(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  lab::need_errno(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
  return info.tcpi_state == TCP_SYN_SENT;
}

void connect_within(io_uring& ring, const char* title, std::uint16_t port, long long milliseconds) {
  // [walk pair]
  const int fd = make_socket();
  const sockaddr_in address = lab::loopback_address(port);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_connect(sqe, fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  io_uring_sqe_set_data64(sqe, first);
  sqe->flags |= IOSQE_IO_LINK;

  // The time limit is an operation of its own. It belongs to the SQE before it, by the link.
  __kernel_timespec time = timespec_of(milliseconds);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_link_timeout(sqe, &time, 0);
  io_uring_sqe_set_data64(sqe, limit);

  // Two operations, so two CQEs in any case, and in either order.
  std::array<int, 3> res{};
  for (int count = 0; count < 2; ++count) {
    const Done done = next_done(ring);
    if (done.tag == limit && done.res == -EINVAL) lab::need(done.res, "the time limit");
    res.at(done.tag) = done.res;
  }
  // [/walk]
  std::printf("%s: connect %s, limit %s, TCP still tries: %s\n", title, words(res[first]),
              words(res[limit]), still_tries(fd) ? "yes" : "no");
  close(fd);
}

// [walk race]
struct Race {
  io_uring& ring;
  std::array<sockaddr_in, 2> addresses;
  std::array<int, 2> fds{-1, -1};
  std::array<bool, cancel + 1> in_flight{};
  bool won = false;
};
// [/walk]

void start_connect(Race& race, Tag tag) {
  race.fds.at(tag) = make_socket();
  const auto* address = reinterpret_cast<const sockaddr*>(&race.addresses.at(tag));
  io_uring_sqe* sqe = io_uring_get_sqe(&race.ring);
  io_uring_prep_connect(sqe, race.fds.at(tag), address, sizeof race.addresses[0]);
  io_uring_sqe_set_data64(sqe, tag);
  race.in_flight.at(tag) = true;
}

// [walk cancel]
void start_cancel(Race& race, Tag target) {
  io_uring_sqe* sqe = io_uring_get_sqe(&race.ring);
  io_uring_prep_cancel64(sqe, target, 0);
  io_uring_sqe_set_data64(sqe, cancel);
  race.in_flight.at(cancel) = true;
}
// [/walk]

// [walk on-done]
void on_done(Race& race, const Done& done) {
  race.in_flight.at(done.tag) = false;
  if (done.tag == cancel) return;  // what matters is the CQE of the operation it meant
  const char* names[] = {"first", "second", "", "head start"};
  std::printf("  %s: %s\n", names[done.tag], words(done.res));
  if (done.tag == head_start && !race.won) start_connect(race, second);
  if (done.tag > second || done.res != 0 || race.won) return;
  race.won = true;
  for (const Tag rival : {first, second, head_start}) {
    if (race.in_flight.at(rival)) start_cancel(race, rival);
  }
}
// [/walk]

void run(Race race, long long milliseconds) {
  __kernel_timespec time = timespec_of(milliseconds);
  // [walk run]
  start_connect(race, first);
  io_uring_sqe* sqe = io_uring_get_sqe(&race.ring);
  io_uring_prep_timeout(sqe, &time, 0, 0);
  io_uring_sqe_set_data64(sqe, head_start);
  race.in_flight.at(head_start) = true;
  // The race is over when nothing is in flight: not when somebody has won.
  while (race.in_flight != decltype(race.in_flight){}) on_done(race, next_done(race.ring));
  // [/walk]
  for (const int fd : race.fds) {
    if (fd >= 0) close(fd);  // a real program keeps the winner's
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  // Three ports: one answers, one refuses, and one is silent, because its backlog is full.
  std::uint16_t answers = 0, refuses = 0, silent = 0;
  const int listener = lab::listen_on_loopback(answers);
  close(lab::listen_on_loopback(refuses));
  const int full = lab::listen_on_loopback(silent, 0);
  const int filler = lab::connect_to(silent);

  connect_within(ring, "answers", answers, 5000);
  connect_within(ring, "refuses", refuses, 5000);
  connect_within(ring, "silent", silent, 100);
  const sockaddr_in good = lab::loopback_address(answers);
  const sockaddr_in bad = lab::loopback_address(silent);
  std::puts("race: silent first, the other 50 ms later");
  run({ring, {bad, good}}, 50);
  std::puts("race: the one that answers first");
  run({ring, {good, bad}}, 5000);

  for (const int fd : {filler, full, listener}) close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
