// shows: a server whose connections take no descriptor, and so no part of the process's limit
// needs: Linux 6.1 for the ring it uses; the idea 5.19
// try:   ./lab run 06-03; then "ulimit -Sn 64" and the conformance case idle, with 06-02 and 06-03
#include <fcntl.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <utility>
#include <vector>

#include "01-core/lesson.hpp"
#include "06-server/03-direct/server.hpp"
#include "06-server/stage.hpp"

namespace {

// Counted without opening /proc, which would need one.
int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 20'000; ++fd) count += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
  return count;
}

// [walk limit]
// With a limit of 3 no call of this process gets a new descriptor. Those that it has stay.
// @return the limit before
rlim_t limit_descriptors(rlim_t most) {
  rlimit limit{};
  lab::need_errno(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  const rlim_t before = std::exchange(limit.rlim_cur, most);
  lab::need_errno(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  return before;
}
// [/walk]

bool is_answered(int fd) {
  std::string answer(8, ' ');
  return recv(fd, answer.data(), answer.size(), MSG_WAITALL) == 8 && answer == "question";
}

}  // namespace

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 20);
  std::uint16_t port = 0;
  const int listener = stage::listener(port);
  // [walk main]
  constexpr unsigned clients_max = 32;
  stage::Worker worker(listener, {.connections_max = 4096});
  // [/walk]
  lesson.watch(*worker.ring.raw());
  if (serves) {
    stage::say_where(port);
    worker.run();
  }

  // [walk main]
  std::vector<int> fds(clients_max);
  for (int& fd : fds) fd = lab::connect_to(port);  // they wait in the backlog
  std::atomic<bool> limited = false;
  lab::ClientThread clients([&] {
    const rlim_t usual = limit_descriptors(3);
    const int before = open_descriptors();
    limited = true;
    for (const int fd : fds) lab::send_all(fd, "question");
    std::size_t lost = 0;
    std::size_t asked = 0;
    for (const int fd : fds) {
      if (!is_answered(fd)) ++lost;
      if (++asked == fds.size()) {
        std::printf("descriptors for the connections: %d\n", open_descriptors() - before);
      }
    }
    std::printf("of %u clients lost: %zu\n", clients_max, lost);
    limit_descriptors(usual);
    for (const int fd : fds) close(fd);
    shutdown(listener, SHUT_RD);  // ends the accept, and with it the worker
  });
  while (!limited) sched_yield();
  worker.run();
  // [/walk]
  clients.join();
  std::printf("the ring's own descriptor is registered: %s\n",
              worker.ring.registered_fd() ? "yes" : "no");
  return lab::ok();
}
