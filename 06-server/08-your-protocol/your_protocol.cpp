// shows: one protocol on two engines, a few lines of memory and the server's own on io_uring
// needs: Linux 6.1 for the ring that the server uses; the protocol needs nothing
// try:   ./lab run 06-08; then ./lab break 06-08
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/loopback.hpp"
#include "06-server/08-your-protocol/memory_io.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/protocol/lines.hpp"

namespace {

constexpr std::string_view asked = "hello\nread poem\nbye\n";

// Longer than one buffer of the engine in memory.
std::string poem() {
  std::string text;
  for (int line = 1; line <= 60; ++line) text += "line " + std::to_string(line) + " of a poem\n";
  return text;
}

// [walk memory]
// The answer when the input comes in two pieces.
std::string hear_in_memory(const std::string& file, std::size_t cut) {
  const std::array files{lab::LineFile{.name = "poem", .size = file.size()}};
  lab::Lines::Shared shared{.files = files};
  memory::Io io(file);
  lab::Lines lines(shared);
  lines.on_open(io);
  io.deliver(lines, asked.substr(0, cut));
  io.deliver(lines, asked.substr(cut));
  return io.heard;
}
// [/walk]

// [walk ring]
// The answer of the server's engine, over loopback.
std::string hear_over_the_ring(lab::Lesson& lesson, const std::string& file) {
  const int fd = lab::need_errno(memfd_create("poem", MFD_CLOEXEC), "memfd_create");
  lab::need_errno(static_cast<int>(write(fd, file.data(), file.size())), "write");
  const std::array files{lab::LineFile{.name = "poem", .fd = fd, .size = file.size()}};
  lab::Lines::Shared shared{.files = files};

  const lab::Features features = lab::Features::detect();
  lab::WorkerStats stats;
  lab::Worker<lab::Lines> worker(
      {.connections_max = 16, .buffer_count = 256, .buffer_size = 4096, .pooled_count = 16},
      features, stats, shared);
  lesson.watch(*worker.ring().raw());

  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  std::string heard;
  std::atomic<bool> done = false;
  lab::ClientThread client([&] {
    const int client_fd = lab::connect_to(port);
    lab::send_all(client_fd, asked);
    heard = lab::receive(client_fd, 1 << 20);  // to the FIN behind "bye"
    close(client_fd);
    done = true;
  });
  worker.start(listener, -1);
  while (!done) worker.run_once();  // returns after 25 ms at the latest, for its tick
  worker.drain();
  if (!worker.run()) lab::fail("something is still in flight");
  client.join();
  close(listener);
  close(fd);
  return heard;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string file = poem();
  const std::string wanted = std::string(lab::Lines::greeting) +
                             "1: hello\n2: " + std::to_string(file.size()) + " bytes of poem\n" +
                             file + "3: bye\n";

  std::size_t right = 0;
  for (std::size_t cut = 0; cut <= asked.size(); ++cut) {
    if (hear_in_memory(file, cut) == wanted) ++right;
  }
  std::printf("in memory, %zu cuts: %zu right answers\n", asked.size() + 1, right);
  const std::string heard = hear_over_the_ring(lesson, file);
  std::printf("over the ring: %s\n", heard == wanted ? "the same answer" : "another answer");
  std::printf("%.*s...\n", 64, hear_in_memory(file, 0).c_str());
  return lab::ok();
}
