// shows: a protocol written as a coroutine, three clients at once on one thread, and a drain that
//        waits for the one that thinks
// needs: Linux 6.1 for the ring that the server uses; sessions need nothing
// try:   ./lab run 06-13; then ./lab break 06-13
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/loopback.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/protocol/session/pipe_reader.hpp"
#include "06-server/lib/protocol/session/session.hpp"

namespace {

constexpr unsigned think_ms = 1000;

// What the sessions of the worker have in common. One thread runs them all, so there is no lock.
struct Told {
  std::atomic<unsigned> begun = 0;  ///< questions that were heard; the clients' thread looks, too
  std::string answered;
};

// [walk session]
lab::Task answer(lab::FramePool&, lab::SessionIo& session, Told& told) {
  std::array<std::byte, 64> memory;
  lab::PipeReader reader(session, memory);
  while (const auto line = co_await reader.read_until('\n', 60)) {
    ++told.begun;
    if (line.text() == "think") co_await session.sleep(think_ms);
    told.answered += ' ';
    told.answered += line.text();
    co_await session.write(line.text());
    co_await session.write("\n");
  }
  co_return 0;
}
// [/walk]

using Answers = lab::Session<answer>;

// [walk clients]
// The first client's session thinks while the second client asks. When both have their answers, the
// third's begins to think. After its answer the third hears that the server ends.
std::string ask(std::uint16_t port, const Told& told) {
  const int first = lab::connect_to(port);
  const int second = lab::connect_to(port);
  lab::send_all(first, "think\n");
  while (told.begun == 0) usleep(1000);
  lab::send_all(second, "quick\n");
  lab::receive(second, 6);
  lab::receive(first, 6);
  const int third = lab::connect_to(port);
  lab::send_all(third, "think\n");
  std::string heard = lab::receive(third, 1 << 20);  // to the FIN
  for (const int fd : {first, second, third}) close(fd);
  return heard;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  // [walk worker]
  Answers::Shared shared(lab::SessionOptions{.frames_max = 16});
  const lab::Features features = lab::Features::detect();
  lab::WorkerStats stats;
  lab::Worker<Answers> worker(
      {.connections_max = 16, .buffer_count = 256, .buffer_size = 4096, .pooled_count = 16},
      features, stats, shared);
  // [/walk]
  lesson.watch(*worker.ring().raw());

  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  std::string heard;
  lab::ClientThread client([&] { heard = ask(port, shared.state); });
  worker.start(listener, -1);
  // [walk drain]
  std::uint32_t frames = 0;
  while (shared.state.begun < 3) {
    worker.run_once();
    frames = std::max(frames, shared.frames().used());
  }
  worker.drain();  // the third client's session sleeps
  if (!worker.run()) lab::fail("something is still in flight");
  // [/walk]
  client.join();
  close(listener);

  std::printf("answered:%s\n", shared.state.answered.c_str());
  std::printf("the third heard: %s", heard.c_str());
  std::printf("a frame takes %zu bytes\n", shared.frames().largest());
  std::printf("frames in use: %u at most, %u now\n", frames, shared.frames().used());
  return lab::ok();
}
