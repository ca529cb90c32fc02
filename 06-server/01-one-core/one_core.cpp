// shows: one core's echo server whose memory is all taken at the start, and what a question costs
// needs: Linux 6.1 for the ring it uses; the idea 6.0
// try:   ./lab run 06-01; then start it with "serve" and let the conformance client loose on it
#include <cstdio>
#include <cstdlib>
#include <new>

#include "01-core/lesson.hpp"
#include "06-server/01-one-core/server.hpp"
#include "06-server/stage.hpp"

namespace {

// [walk count]
thread_local bool counting = false;
unsigned long allocations = 0;
// [/walk]

// The worker runs until its last client has gone.
void run_counted(stage::Worker& worker) {
  counting = true;
  worker.run();
  counting = false;
}

}  // namespace

// [walk count]
void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// [/walk]
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 20);
  std::uint16_t port = 0;
  if (serves) {
    stage::Worker worker(stage::listener(port), {});
    stage::say_where(port);
    worker.run();
  }

  // [walk questions]
  constexpr int questions = 1000;
  {
    stage::Worker worker(stage::listener(port), {.clients_max = 1});
    lesson.watch(*worker.ring.raw());
    lab::ClientThread client([port] {
      const int fd = lab::connect_to(port);
      stage::ask(fd, questions);
      close(fd);
    });
    run_counted(worker);
    const double enters = static_cast<double>(worker.ring.counters().enters);
    std::printf("system calls for a question: %.1f\n", enters / questions);
  }
  // [/walk]
  // [walk stalled]
  {
    constexpr unsigned stalled = 80;  // more than there are buffers
    const char* what = "";
    stage::Worker worker(listen_narrow(port), {.clients_max = stalled + 1});
    lesson.watch(*worker.ring.raw());
    lab::ClientThread client(
        [port, &what] { what = stage::neighbour(port, stalled, std::chrono::milliseconds(300)); });
    run_counted(worker);
    client.join();
    std::printf("beside %u clients that do not read, a neighbour %s\n", stalled, what);
  }
  // [/walk]
  std::printf("allocations while it served %u clients: %lu\n", 82, allocations);
  return lab::ok();
}
