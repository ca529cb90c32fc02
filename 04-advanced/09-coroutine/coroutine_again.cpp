// shows: the same on the component: tasks that await tasks, and one line that ends all of them
// needs: Linux 6.1
// try:   ./lab run 04-09-coroutine-coroutine_again
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string_view>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/read.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/frame_pool.hpp"
#include "04-advanced/lib/task.hpp"

namespace {

constexpr std::size_t frame_bytes = 4096;

// A stream may give less than was asked for, so a fixed number of bytes takes a loop: a step of its
// own. It writes into the frame of the task that awaits it, which lives longer.
lab::Task read_exactly(lab::FramePool&, lab::Ring& ring, lab::Fd& file,
                       std::span<std::byte> memory) {
  std::size_t filled = 0;
  while (filled < memory.size()) {
    const lab::Cqe cqe = co_await lab::Await<lab::Read>(
        ring, file, lab::Read::What{.memory = memory.subspan(filled)});
    if (cqe.res <= 0) co_return cqe.res;
    filled += static_cast<std::size_t>(cqe.res);
  }
  co_return static_cast<int>(filled);
}

// Records of one length byte and a text.
lab::Task print_records(lab::FramePool& frames, lab::Ring& ring, lab::Fd& file) {
  std::array<std::byte, 1> length;
  std::array<std::byte, 255> text;
  for (;;) {
    int res = co_await read_exactly(frames, ring, file, length);
    if (res <= 0) co_return res;
    res = co_await read_exactly(frames, ring, file,
                                std::span(text).first(static_cast<std::size_t>(length[0])));
    if (res <= 0) co_return res;
    std::printf("  record: \"%.*s\"\n", res, reinterpret_cast<const char*>(text.data()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::Ring ring;
  lesson.watch(*ring.raw());
  constexpr std::size_t bytes = lab::FramePool::bytes_for(2, frame_bytes);
  alignas(lab::FramePool::alignment) std::array<std::byte, bytes> memory;
  lab::FramePool frames(memory, frame_bytes);
  // Not a pipe: on Linux 6.1 a worker thread reads it, and the answer is not there at once.
  int ends[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
  lab::Fd reading(ends[0]);
  const lab::Fd writing(ends[1]);
  const auto send = [&](std::string_view text) {
    lab::need_errno(static_cast<int>(write(writing.get(), text.data(), text.size())), "write");
    while (ring.run_once(0) > 0) continue;
  };

  {
    lab::Task task = print_records(frames, ring, reading);
    task.start();
    for (const std::string_view piece : {"\5fi", "rst\6s", "econd", "\5th"}) send(piece);
    std::printf("in mid-record: frames used: %u, armed: %u\n", frames.used(), ring.armed_count());
  }
  std::printf("destroyed: frames used: %u, armed: %u\n", frames.used(), ring.armed_count());
  while (frames.used() > 0) ring.run_once();
  std::printf("joined: frames used: %u, armed: %u\n", frames.used(), ring.armed_count());
  return lab::ok();
}
