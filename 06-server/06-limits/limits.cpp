// shows: a limit of connections that loses nobody, what it is good for, and places that come free
// needs: Linux 6.1 for the ring it uses; the idea 5.19
// try:   ./lab run 06-06; then other limits for the 64 clients of the second part
#include <cstdio>
#include <vector>

#include "01-core/lesson.hpp"
#include "06-server/06-limits/server.hpp"
#include "06-server/stage.hpp"

namespace {

struct Crowd {
  std::size_t asked = 0;
  std::size_t answered = 0;
  unsigned most_connections = 0;
  unsigned most_at_once = 0;
};

// [walk crowd]
// Some connect and are silent; the others ask all at once and leave with their answers.
Crowd serve(lab::Lesson& lesson, const stage::Options& options, std::size_t silent_count,
            std::size_t asking_count) {
  std::uint16_t port = 0;
  stage::Worker worker(stage::listener(port), options);
  lesson.watch(*worker.ring.raw());
  Crowd crowd{.asked = asking_count};
  std::vector<int> silent(silent_count);
  std::vector<int> asking(asking_count);
  for (int& fd : silent) fd = lab::connect_to(port);
  for (int& fd : asking) fd = lab::connect_to(port);
  for (const int fd : asking) lab::send_all(fd, "question");
  lab::ClientThread clients([&] {
    for (const int fd : asking) {
      std::string answer(8, ' ');
      if (recv(fd, answer.data(), 8, MSG_WAITALL) == 8 && answer == "question") ++crowd.answered;
      close(fd);
    }
    for (const int fd : silent) close(fd);
    worker.end();
  });
  worker.run();
  clients.join();
  crowd.most_connections = worker.most_connections;
  crowd.most_at_once = worker.most_at_once;
  return crowd;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 20);
  if (serves) {
    std::uint16_t port = 0;
    stage::Worker worker(stage::listener(port), {.connections_max = 1000});
    stage::say_where(port);
    worker.run();
  }
  // [walk main]
  const stage::Options eight{.connections_max = 8, .buffer_count = 512, .idle_timeout_ms = 100};
  const stage::Options many{.connections_max = 1024, .buffer_count = 512};

  const Crowd few = serve(lesson, eight, 0, 12);
  std::printf("room for 8, 12 clients: at most %u connections, %zu answered\n",
              few.most_connections, few.answered);
  std::printf("64 ask at once, room for 1024: at most %u questions in a turn\n",
              serve(lesson, many, 0, 64).most_at_once);
  std::printf("64 ask at once, room for 8:    at most %u questions in a turn\n",
              serve(lesson, eight, 0, 64).most_at_once);
  const Crowd behind = serve(lesson, eight, 8, 1);
  std::printf("room for 8, 8 silent clients before one that asks: %s\n",
              behind.answered == 1 ? "it is answered" : "it waits");
  // [/walk]
  return lab::ok();
}
