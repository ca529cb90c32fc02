// shows: a few shared buffers that no number of clients who do not read can take from the others
// needs: Linux 6.1 for the ring it uses; the idea 6.0
// try:   ./lab run 06-02; then tests/conformance/run with its "serve": two more cases pass
#include <cstdio>

#include "01-core/lesson.hpp"
#include "06-server/02-waiting-list/server.hpp"
#include "06-server/stage.hpp"

namespace {

// [walk questions]
double calls_for_a_question(lab::Lesson& lesson, unsigned buffer_count) {
  constexpr int questions = 1000;
  std::uint16_t port = 0;
  stage::Worker worker(stage::listener(port), {.buffer_count = buffer_count, .clients_max = 1});
  lesson.watch(*worker.ring.raw());
  lab::ClientThread client([port] {
    const int fd = lab::connect_to(port);
    stage::ask(fd, questions);
    close(fd);
  });
  worker.run();
  return static_cast<double>(worker.ring.counters().enters) / questions;
}
// [/walk]

void beside(lab::Lesson& lesson, unsigned stalled) {
  std::uint16_t port = 0;
  const char* what = "";
  stage::Worker worker(listen_narrow(port), {.clients_max = stalled + 1});
  lesson.watch(*worker.ring.raw());
  lab::ClientThread client(
      [port, stalled, &what] { what = stage::neighbour(port, stalled, std::chrono::seconds(3)); });
  worker.run();
  client.join();
  std::printf("beside %u clients that do not read, a neighbour %s\n", stalled, what);
}

}  // namespace

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 20);
  if (serves) {
    std::uint16_t port = 0;
    stage::Worker worker(stage::listener(port), {});
    stage::say_where(port);
    worker.run();
  }
  std::printf("system calls for a question, of 64 buffers:  %.1f\n",
              calls_for_a_question(lesson, 64));
  std::printf("system calls for a question, of 512 buffers: %.1f\n",
              calls_for_a_question(lesson, 512));
  beside(lesson, 80);
  beside(lesson, 400);
  return lab::ok();
}
