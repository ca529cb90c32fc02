// shows: a multishot receive as a stream that a coroutine reads, and that makes a fast peer wait
// needs: Linux 6.0 (run with the lab's ring: 6.1)
// try:   ./lab run 04/10; then waiting_max 1 and 100, and compare the figures
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/read.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "03-network/loopback.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/frame_pool.hpp"
#include "04-advanced/lib/task.hpp"

namespace {

constexpr unsigned buffer_count = 256;
constexpr unsigned buffer_size = 16;
constexpr unsigned waiting_max = 8;  // leases that may wait before the peer has to

struct Machine {
  lab::Ring ring;
  std::vector<std::byte> memory = std::vector<std::byte>(buffer_count * buffer_size);
  lab::BufferRing buffers{ring, {.count = buffer_count, .size = buffer_size}, memory};
  lab::LeasePool leases{buffer_count};
  std::vector<std::byte> frame_memory = std::vector<std::byte>(lab::FramePool::bytes_for(4, 4096));
  lab::FramePool frames{frame_memory, 4096};
};

// What the multishot brings waits in a queue; `co_await inbox` takes one lease out of it.
class Inbox : private lab::TaskOperation {
 public:
  Inbox(Machine& machine, int fd)
      : TaskOperation(&stop), machine_(machine), fd_(fd), queue_(machine.leases) {}

  unsigned pauses() const { return pauses_; }

  // [walk awaiter]
  // At the end the task leaves and its frame goes, so the CQE of a pause's cancel must have come.
  bool await_ready() const noexcept { return !queue_.empty() || (ended_ && !cancel_.armed()); }
  // Nobody asks the kernel for more before the task has taken everything and wants more.
  void await_suspend(lab::Task::Frame waiting) noexcept {
    if (!recv_.armed() && !cancel_.armed()) arm();
    hold(waiting);
  }
  // An empty lease: the peer's FIN, or no buffer was free.
  lab::BufferLease await_resume() noexcept {
    return queue_.empty() ? lab::BufferLease{} : queue_.pop();
  }
  // [/walk]

 private:
  // [walk arm]
  void arm() noexcept {
    io_uring_sqe* sqe = machine_.ring.sqe();
    io_uring_prep_recv_multishot(sqe, fd_, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = machine_.buffers.group();
    machine_.ring.arm(sqe, recv_);
  }
  // [/walk]

  static void stop(TaskOperation& self) noexcept {
    auto& inbox = static_cast<Inbox&>(self);
    if (!inbox.recv_.armed() || inbox.cancel_.armed()) return;
    inbox.cancel_.start(inbox.machine_.ring, inbox.recv_);
  }

  // [walk on-recv]
  // What still arrives after the cancel is kept: it is data like any other.
  void on_recv(lab::Cqe cqe) noexcept {
    if (cqe.has_buffer()) queue_.push(machine_.buffers.lease(cqe));
    if (cqe.res == 0) ended_ = true;
    if (recv_.armed() && !cancel_.armed() && queue_.count() >= waiting_max) {
      ++pauses_;
      cancel_.start(machine_.ring, recv_);
    }
    go_on();
  }

  void on_cancel(lab::Cqe) noexcept { go_on(); }
  // [/walk]

  // [walk go-on]
  // Armed again only when both CQEs of a pause have come, and somebody waits.
  void go_on() noexcept {
    if (recv_.armed() || cancel_.armed()) {
      if (await_ready()) wake();
    } else if (waited_for() && !await_ready() && machine_.buffers.free() > 0) {
      arm();
    } else {
      let_go();
    }
  }
  // [/walk]

  Machine& machine_;
  const int fd_;
  lab::LeaseQueue queue_;
  bool ended_ = false;
  unsigned pauses_ = 0;
  lab::Bind<lab::Completion, &Inbox::on_recv> recv_{*this};
  lab::Bind<lab::Cancel, &Inbox::on_cancel> cancel_{*this};
};

// [walk slow]
// Takes one lease, waits for its disk, and then takes the rest.
lab::Task slow(lab::FramePool&, Machine& machine, int fd, lab::Fd& disk, std::string& text) {
  Inbox inbox(machine, fd);
  bool disk_answered = false;
  for (;;) {
    const lab::BufferLease lease = co_await inbox;
    if (!lease) break;
    text.append(reinterpret_cast<const char*>(lease.bytes().data()), lease.size());
    if (disk_answered) continue;
    std::array<std::byte, 1> byte;
    co_await lab::Await<lab::Read>(machine.ring, disk, lab::Read::What{.memory = byte});
    disk_answered = true;
  }
  std::printf("  slow: end of the stream, its peer had to wait: %s\n",
              inbox.pauses() > 0 ? "yes" : "no");
  std::printf("# pauses: %u\n", inbox.pauses());
  co_return 0;
}
// [/walk]

lab::Task neighbour(lab::FramePool&, Machine& machine, int fd) {
  Inbox inbox(machine, fd);
  const lab::BufferLease lease = co_await inbox;
  if (!lease) lab::fail("no buffer for the neighbour: somebody else holds all of them");
  std::printf("  neighbour: \"%.*s\"\n", static_cast<int>(lease.size()),
              reinterpret_cast<const char*>(lease.bytes().data()));
  const lab::BufferLease fin = co_await inbox;
  co_return fin ? -EPROTO : 0;
}

lab::Task nap(lab::FramePool&, lab::Ring& ring, std::uint64_t nanoseconds) {
  const lab::Cqe cqe = co_await lab::Await<lab::Timer>(ring, nanoseconds);
  co_return cqe.res == -ETIME ? 0 : cqe.res;
}

// The others go on meanwhile.
void run(Machine& machine, const lab::Task& task) {
  while (!task.done()) machine.ring.run_once();
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Machine machine;
  lesson.watch(*machine.ring.raw());
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  lab::Fd disk(ends[0]);
  const lab::Fd disk_end(ends[1]);
  const auto [slow_socket, fast_peer] = lab::connected_pair();
  const auto [neighbour_socket, quiet_peer] = lab::connected_pair();

  std::string text;
  lab::Task slow_task = slow(machine.frames, machine, slow_socket, disk, text);
  lab::Task neighbour_task = neighbour(machine.frames, machine, neighbour_socket);
  slow_task.start();
  neighbour_task.start();

  std::string sent;
  for (int number = 0; number < 1000; ++number) {
    const std::string message = "message " + std::to_string(10'000'000 + number);
    lab::send_all(fast_peer, message);
    sent += message;
    machine.ring.run_once(0);
  }
  lab::Task quiet = nap(machine.frames, machine.ring, 20'000'000);
  quiet.start();
  run(machine, quiet);  // whatever is on its way arrives
  const unsigned held = buffer_count - machine.buffers.free();
  std::printf("1000 messages were sent, the slow task took one and waits for its disk\n");
  std::printf("  buffers that wait for it: %s\n", held <= 64 ? "a few" : "too many");
  std::printf("# exactly %u\n", held);

  std::printf("the neighbour's peer speaks\n");
  lab::send_all(quiet_peer, "hello");
  shutdown(quiet_peer, SHUT_WR);
  run(machine, neighbour_task);

  std::printf("the disk answers\n");
  lab::need_errno(static_cast<int>(write(disk_end.get(), "!", 1)), "write");
  shutdown(fast_peer, SHUT_WR);
  run(machine, slow_task);
  std::printf("  every byte, in order: %s\n", text == sent ? "yes" : "no");

  for (const int fd : {slow_socket, fast_peer, neighbour_socket, quiet_peer}) close(fd);
  return lab::ok();
}
