// Three sessions on one ring, and a message from another ring that ends them. As it is, a session
// leaves its connection open, nobody cancels it, and the worker reports before anything has ended.
// Combine what 04-05, 04-09 and this lesson taught.
#include "03-network/lib/send.hpp"
#include "04-advanced/10-coroutine-stream/check.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/stream.hpp"
#include "04-advanced/lib/task.hpp"

namespace {

// Hears a client to its end, or until it is cancelled.
lab::Task session(lab::FramePool&, check::Machine& machine, lab::FileSlot slot) {
  lab::Stream stream(machine.ring, slot, machine.buffers, machine.leases, 2);
  int heard = 0;
  lab::Stream::Item item = co_await stream.next();
  while (item.res > 0) {
    heard += item.res;
    item = co_await stream.next();
  }
  // YOUR TURN 1 (this lesson): how did the stream end? A client that has not left is told
  // check::goodbye_bytes(); then, for everybody, the slot is closed. lab::Await awaits both.
  co_return heard;
}

class Worker {
 public:
  explicit Worker(check::Machine& machine) : machine_(machine) {}

  const lab::Mailbox& inbox() const noexcept { return inbox_; }

  void start() noexcept {
    for (unsigned number = 0; number < check::sessions; ++number) {
      tasks_[number] = session(machine_.frames, machine_, lab::FileSlot(number));
      tasks_[number].start();
    }
  }

 private:
  // A message from the other ring.
  void on_message(lab::Cqe cqe) noexcept {
    // YOUR TURN 2 (04-05): its value says what it wants. Then the sessions have to hear of it.
    static_cast<void>(cqe);
    report();
  }

  // YOUR TURN 3 (04-09): a cancel only asks. tasks_[n].start<&Worker::on_session_end>(*this) lets
  // the worker know when a session has ended. When is it time to report, and how much was heard?
  void report() noexcept {
    const std::uint32_t heard = 0;
    report_.start(machine_.ring, machine_.control.ring_fd(), machine_.control.inbox(), heard);
  }

  void on_reported(lab::Cqe cqe) noexcept { lab::need(cqe.res, "MSG_RING"); }

  check::Machine& machine_;
  std::array<lab::Task, check::sessions> tasks_;
  lab::Bind<lab::Mailbox, &Worker::on_message> inbox_{*this};
  lab::Bind<lab::Message, &Worker::on_reported> report_{*this};
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Worker>(argc, argv); }
