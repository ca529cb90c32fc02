// shows: an echo session as one coroutine, on the component: a loop, and no state but its variables
// needs: Linux 6.1
// try:   ./lab run 04/10 session; then break after one item and leave out stop(): what stops it?
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/lib/listener.hpp"
#include "03-network/lib/send.hpp"
#include "03-network/loopback.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/frame_pool.hpp"
#include "04-advanced/lib/stream.hpp"
#include "04-advanced/lib/task.hpp"

namespace {

constexpr unsigned buffer_count = 64;
constexpr unsigned buffer_size = 1024;

struct Worker {
  lab::Ring ring;
  lab::FileTable table{ring, 16};
  std::vector<std::byte> memory = std::vector<std::byte>(buffer_count * buffer_size);
  lab::BufferRing buffers{ring, {.count = buffer_count, .size = buffer_size}, memory};
  lab::LeasePool leases{buffer_count};
  std::vector<std::byte> frame_memory = std::vector<std::byte>(lab::FramePool::bytes_for(2, 4096));
  lab::FramePool frames{frame_memory, 4096};
};

struct AcceptOne : lab::AcceptMultishot {
  using AcceptMultishot::AcceptMultishot;
  void start(lab::Ring& ring, int listener) noexcept { start_once(ring, listener); }
};

// [walk session]
// One after the other, to the FIN. The next send waits for this one, so nothing is reordered; and
// while it waits, the stream makes the peer wait.
lab::Task session(lab::FramePool&, Worker& worker, lab::FileSlot slot) {
  lab::Stream stream(worker.ring, slot, worker.buffers, worker.leases, 8);
  int echoed = 0;
  for (;;) {
    lab::Stream::Item item = co_await stream.next();
    if (item.res <= 0) break;
    const lab::Cqe sent = co_await lab::Await<lab::Send>(worker.ring, slot, item.lease.bytes());
    if (sent.res < item.res) break;
    echoed += sent.res;
  }
  co_await stream.stop();  // after the FIN there is nothing to stop; after a failed send there is
  co_await lab::Await<lab::CloseSlot>(worker.ring, slot);
  co_return echoed;
}
// [/walk]

lab::Task serve(lab::FramePool& frames, Worker& worker, int listener, int connections) {
  for (; connections > 0; --connections) {
    const lab::Cqe accepted = co_await lab::Await<AcceptOne>(worker.ring, listener);
    if (accepted.res < 0) co_return accepted.res;
    const lab::FileSlot slot{static_cast<unsigned>(accepted.res)};
    const int echoed = co_await session(frames, worker, slot);
    std::printf("echoed %d bytes\n", echoed);
  }
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Worker worker;
  lesson.watch(*worker.ring.raw());
  const lab::Listener listener({.port = 0});
  lab::Task task = serve(worker.frames, worker, listener.fd(), 2);
  task.start();

  lab::ClientThread client([port = listener.port()] {
    for (const std::size_t size : {5U, 50'000U}) {
      const int fd = lab::connect_to(port);
      const std::string bytes(size, 'x');
      lab::send_all(fd, bytes);
      if (lab::receive(fd, size) != bytes) lab::fail("the echo is not what was sent");
      close(fd);
    }
  });
  while (!task.done()) worker.ring.run_once();
  client.join();
  lab::need(task.result(), "serve");
  return lab::ok();
}
