// Judges the exercise of 04-advanced/10-coroutine-stream: three sessions on a worker's ring, and
// another ring that sends it a message to stop. All of it runs in one thread, so every run is the
// same. Nobody edits this file.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "03-network/lib/lease_queue.hpp"
#include "04-advanced/lib/frame_pool.hpp"
#include "04-advanced/lib/mailbox.hpp"

namespace check {

inline constexpr unsigned sessions = 3;
inline constexpr unsigned buffer_count = 4;
inline constexpr unsigned frame_bytes = 4096;
inline constexpr std::int32_t stop = 1;  // the message that ends the worker
inline constexpr std::string_view goodbye = "bye";

/// What a session sends when it is not the client who has ended.
inline std::span<const std::byte> goodbye_bytes() { return std::as_bytes(std::span(goodbye)); }

// Where the worker's answer arrives: on a ring of its own.
class Control {
 public:
  int ring_fd() noexcept { return ring_.raw()->ring_fd; }
  lab::Mailbox& inbox() noexcept { return inbox_; }
  void say_stop(const lab::Mailbox& inbox) noexcept {
    message_.start(ring_, worker->raw()->ring_fd, inbox, stop);
  }
  bool turn() noexcept { return ring_.run_once(0) > 0; }

  unsigned reports = 0;
  int heard = -1;                // bytes, as the worker reports them
  unsigned still_in_flight = 0;  // on the worker's ring, when the report came
  lab::Ring* worker = nullptr;

 private:
  void on_report(lab::Cqe cqe) noexcept {
    ++reports;
    heard = cqe.res;
    still_in_flight = worker->armed_count();
  }
  void on_sent(lab::Cqe cqe) noexcept { lab::need(cqe.res, "MSG_RING"); }

  lab::Ring ring_;
  lab::Bind<lab::Mailbox, &Control::on_report> inbox_{*this};
  lab::Bind<lab::Message, &Control::on_sent> message_{*this};
};

// What the worker works with. Slot n of its table is client n's socket.
struct Machine {
  Machine(std::span<const int> sockets, Control& boss) : control(boss), table(ring, sockets) {}

  Control& control;
  lab::Ring ring;
  lab::FileTable table;
  std::vector<std::byte> memory = std::vector<std::byte>(buffer_count * 64);
  lab::BufferRing buffers{ring, {.count = buffer_count, .size = 64}, memory};
  lab::LeasePool leases{buffer_count};
  std::vector<std::byte> frame_memory =
      std::vector<std::byte>(lab::FramePool::bytes_for(sessions, frame_bytes));
  lab::FramePool frames{frame_memory, frame_bytes};
};

struct Client {
  lab::Fd fd;
  std::string heard;
  bool ended = false;
};

template <class Worker>
class Scene {
 public:
  explicit Scene(const char* name) : name_(name) {
    std::printf("%s\n", name);
    std::array<int, sessions> theirs{};
    for (unsigned number = 0; number < sessions; ++number) {
      int ends[2];
      lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
      clients_[number].fd = lab::Fd(ends[0]);
      theirs[number] = ends[1];
    }
    machine_.emplace_back(theirs, control_);
    for (const int fd : theirs) close(fd);  // the table has them
    control_.worker = &machine_.back().ring;
    worker_.emplace_back(machine_.back());
    worker_.back().start();
  }

  void says(unsigned number, std::string_view text) {
    const Client& client = clients_[number];
    lab::need_errno(static_cast<int>(send(client.fd.get(), text.data(), text.size(), 0)), "send");
    said_ += static_cast<int>(text.size());
    settle();
  }

  void leaves(unsigned number) {
    shutdown(clients_[number].fd.get(), SHUT_WR);
    settle();
    hears(number, "", "it has left", "after the end of its stream (YOUR TURN 1)");
  }

  void stops() {
    control_.say_stop(worker_.back().inbox());
    settle();
  }

  void hears(unsigned number, std::string_view wanted, const char* why, const char* look) {
    const Client& client = clients_[number];
    const std::string who = "client " + std::to_string(number) + " (" + why + ") ";
    if (client.heard != wanted) {
      wrong(who + "hears \"" + client.heard + "\", not \"" + std::string(wanted) + "\"", look);
    }
    if (!client.ended) {
      wrong(who + "never hears the end of the connection",
            std::string("its slot has to be closed, ") + look);
    }
  }

  void reported() {
    if (control_.reports == 0) {
      wrong("the worker has got its message, and never reports that it has stopped",
            "who is the last to end, and who tells control? Perhaps everybody had left before "
            "(YOUR TURN 2 and 3)");
    }
    if (control_.still_in_flight > 1) {  // the report itself is one
      wrong("the worker reported that it had stopped while " +
                std::to_string(control_.still_in_flight - 1) + " operations were in flight",
            "cancel() only asks; a session has stopped when its task has ended (YOUR TURN 3)");
    }
    if (control_.reports > 1) wrong("the worker reported twice", "YOUR TURN 3");
    if (control_.heard != said_) {
      wrong("the worker reports " + std::to_string(control_.heard) + " bytes, the clients said " +
                std::to_string(said_),
            "the results of all tasks, added up (YOUR TURN 3)");
    }
    if (machine_.back().ring.armed_count() > 0)
      wrong("something is still in flight", "YOUR TURN 1");
  }

 private:
  [[noreturn]] void wrong(const std::string& what, const std::string& look) const {
    lab::fail(std::string(name_) + ": " + what, look);
  }

  bool listen(Client& client) {
    std::array<char, 64> bytes{};
    const ssize_t got = recv(client.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 || client.ended) return false;
    client.heard.append(bytes.data(), static_cast<std::size_t>(got));
    if (got == 0) client.ended = true;
    return true;
  }

  // Until nothing has moved in several turns. These sockets and messages arrive at once.
  void settle() {
    for (unsigned quiet = 0; quiet < 8; ++quiet) {
      bool moved = machine_.back().ring.run_once(0) > 0;
      moved = control_.turn() || moved;
      for (Client& client : clients_) moved = listen(client) || moved;
      if (moved) quiet = 0;
    }
  }

  const char* name_;
  Control control_;
  std::array<Client, sessions> clients_;
  int said_ = 0;
  // One of each, made when the sockets are there; neither can be moved.
  std::list<Machine> machine_;
  std::list<Worker> worker_;
};

/// @tparam Worker made with (Machine&); start() starts the sessions, inbox() is its Mailbox
template <class Worker>
int judge(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  {
    Scene<Worker> scene("one client leaves, two are there when the message comes");
    scene.says(0, "one two three");
    scene.says(1, "four");
    scene.says(0, " and the rest");
    scene.leaves(0);
    scene.says(1, "five");
    scene.stops();
    scene.hears(1, goodbye, "it was there at the stop",
                "with a word before it (YOUR TURN 1 and 2)");
    scene.hears(2, goodbye, "it has said nothing", "with a word before it (YOUR TURN 1 and 2)");
    scene.reported();
  }
  {
    Scene<Worker> scene("everybody has left when the message comes");
    for (unsigned number = 0; number < sessions; ++number) {
      scene.says(number, "a word");
      scene.leaves(number);
    }
    scene.stops();
    scene.reported();
  }
  std::printf("every byte counted, everybody told, reported once, and then nothing in flight\n");
  return lab::ok();
}

}  // namespace check
