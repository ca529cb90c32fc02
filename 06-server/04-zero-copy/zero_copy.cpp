// shows: what a zero-copy send costs and keeps, and a server that finds out whether it is worth it
// needs: Linux 6.2, for the kernel to say whether it copied; the idea 6.0
// try:   ./lab run 06-04; then ZeroCopyMode::always in the first part, and count its CQEs
#include <algorithm>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "06-server/04-zero-copy/server.hpp"
#include "06-server/stage.hpp"

namespace {

// [walk automatic]
void automatic(lab::Lesson& lesson) {
  std::uint16_t port = 0;
  stage::Worker worker(stage::listener(port), {.zero_copy_threshold = 4096, .clients_max = 1});
  lesson.watch(*worker.ring.raw());
  lab::ClientThread client([port] {
    const int fd = lab::connect_to(port);
    stage::ask(fd, 200, 16 * 1024);
    close(fd);
  });
  worker.run();
  std::printf("on loopback, of 200 answers of 16 KiB: %lu zero-copy sends, %lu copied after all\n",
              worker.zero_copy_sends, worker.zero_copy_copied);
}
// [/walk]

// [walk slow]
// A does not read its answer while B uses every buffer of the server again and again.
void slow_reader(lab::Lesson& lesson) {
  std::uint16_t port = 0;
  stage::Worker worker(stage::listener(port), {.buffer_count = 256,
                                               .zero_copy = lab::ZeroCopyMode::always,
                                               .zero_copy_threshold = 1,
                                               .clients_max = 2});
  lesson.watch(*worker.ring.raw());
  std::ptrdiff_t foreign = 0;
  lab::ClientThread clients([port, &foreign] {
    const int a = clients::connect_narrow(port);
    lab::send_all(a, std::string(16 * 1024, 'A'));
    const int b = lab::connect_to(port);
    stage::ask(b, 600, 16 * 1024);
    const std::string answer = lab::receive(a, 16 * 1024);
    foreign = std::count_if(answer.begin(), answer.end(), [](char one) { return one != 'A'; });
    close(a);
    close(b);
  });
  worker.run();
  clients.join();
  std::printf("bytes of others in A's answer: %td\n", foreign);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 20);
  const bool reports = lab::Features::detect().has(lab::Feature::zero_copy_report);
  if (serves) {
    std::uint16_t port = 0;
    // What cannot be judged is not begun.
    const auto mode = reports ? lab::ZeroCopyMode::automatic : lab::ZeroCopyMode::never;
    stage::Worker worker(stage::listener(port), {.zero_copy = mode, .zero_copy_reports = reports});
    stage::say_where(port);
    worker.run();
  }
  if (!reports) lab::skip("a zero-copy send that says whether it was copied needs Linux 6.2");
  automatic(lesson);
  slow_reader(lesson);
  return lab::ok();
}
