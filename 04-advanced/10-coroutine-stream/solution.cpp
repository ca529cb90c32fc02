// Three sessions on one ring. A message from another ring ends them: each says good bye, and when
// the last one has ended, the worker reports how many bytes they have heard.
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
  if (item.res == -ECANCELED) {
    co_await lab::Await<lab::Send>(machine.ring, slot, check::goodbye_bytes());
  }
  co_await lab::Await<lab::CloseSlot>(machine.ring, slot);
  co_return heard;
}

class Worker {
 public:
  explicit Worker(check::Machine& machine) : machine_(machine) {}

  const lab::Mailbox& inbox() const noexcept { return inbox_; }

  void start() noexcept {
    for (unsigned number = 0; number < check::sessions; ++number) {
      tasks_[number] = session(machine_.frames, machine_, lab::FileSlot(number));
      tasks_[number].start<&Worker::on_session_end>(*this);
    }
  }

 private:
  void on_message(lab::Cqe cqe) noexcept {
    if (cqe.res != check::stop) return;
    stopping_ = true;
    for (lab::Task& task : tasks_) task.cancel();
    report_if_stopped();
  }

  void on_session_end() noexcept {
    ++ended_;
    report_if_stopped();
  }

  void report_if_stopped() noexcept {
    if (!stopping_ || ended_ < check::sessions) return;
    int heard = 0;
    for (const lab::Task& task : tasks_) heard += task.result();
    report_.start(machine_.ring, machine_.control.ring_fd(), machine_.control.inbox(),
                  static_cast<std::uint32_t>(heard));
  }

  void on_reported(lab::Cqe cqe) noexcept { lab::need(cqe.res, "MSG_RING"); }

  check::Machine& machine_;
  std::array<lab::Task, check::sessions> tasks_;
  bool stopping_ = false;
  unsigned ended_ = 0;
  lab::Bind<lab::Mailbox, &Worker::on_message> inbox_{*this};
  lab::Bind<lab::Message, &Worker::on_reported> report_{*this};
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Worker>(argc, argv); }
