// An echo made of components of the installed lab: one thread, one ring, one coroutine.
//   component-echo 2       serves two clients, one after the other, and ends

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/listener.hpp"
#include "03-network/lib/send.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/stream.hpp"

namespace {

constexpr unsigned buffer_count = 16;
constexpr unsigned buffer_size = 4096;

// [walk machine]
// In the order in which they are needed: what is made last goes first.
struct Machine {
  lab::Ring ring;
  lab::FileTable table{ring, 8};
  std::vector<std::byte> memory = std::vector<std::byte>(buffer_count * buffer_size);
  lab::BufferRing buffers{ring, {.count = buffer_count, .size = buffer_size}, memory};
  lab::LeasePool leases{buffer_count};
  std::vector<std::byte> frame_memory = std::vector<std::byte>(lab::FramePool::bytes_for(2, 8192));
  lab::FramePool frames{frame_memory, 8192};
};
// [/walk]

// An operation of one's own: one connection, so that a coroutine can wait for it.
struct Accept : lab::AcceptMultishot {
  using AcceptMultishot::AcceptMultishot;
  void start(lab::Ring& ring, int listener) noexcept { start_once(ring, listener); }
};

// [walk talk]
lab::Task talk(lab::FramePool&, Machine& machine, lab::FileSlot slot) {
  lab::Stream stream(machine.ring, slot, machine.buffers, machine.leases, buffer_count / 2);
  int end = 0;
  for (;;) {
    lab::Stream::Item item = co_await stream.next();
    end = item.res;
    if (end <= 0) break;
    while (item.lease.size() > 0) {  // a send may come back short
      const lab::Cqe sent = co_await lab::Await<lab::Send>(machine.ring, slot, item.lease.bytes());
      if (sent.res <= 0) co_await stream.stop();
      if (sent.res <= 0) co_return sent.res;
      item.lease.drop_front(static_cast<unsigned>(sent.res));
    }
  }
  co_return end;
}
// [/walk]

lab::Task serve(lab::FramePool& frames, Machine& machine, const lab::Listener& listener,
                int count) {
  for (int client = 0; client < count; ++client) {
    const lab::Cqe accepted = co_await lab::Await<Accept>(machine.ring, listener.fd());
    if (accepted.res < 0) co_return accepted.res;
    const auto slot = static_cast<lab::FileSlot>(accepted.res);
    const int res = co_await talk(frames, machine, slot);
    co_await lab::Await<lab::CloseSlot>(machine.ring, slot);
    if (res < 0) co_return res;
  }
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Machine machine;
  const lab::Listener listener({.port = 0});
  std::printf("listening on 127.0.0.1:%d\n", listener.port());
  std::fflush(stdout);
  lab::Task task = serve(machine.frames, machine, listener, argc > 1 ? std::atoi(argv[1]) : 1);
  task.start();
  while (!task.done()) machine.ring.run_once();
  std::printf("ended with %d\n", task.result());
  return task.result() < 0 ? 1 : 0;
}
