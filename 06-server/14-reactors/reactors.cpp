// shows: one thread accepts and two serve: who gets a client, what happens when one of them is full
//        or stands still, and in which order all of it ends
// needs: Linux 6.1 for the rings; the message that carries a connection is as old as 6.0
// try:   ./lab run 06-14; ./lab break 06-14; then ./lab serve --topology reactors
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/loopback.hpp"
#include "06-server/14-reactors/server.hpp"
#include "06-server/lib/engine/control_sender.hpp"

namespace {

using reactors::held;
using reactors::let_go;
using reactors::places;
using reactors::reactor_count;
using reactors::Server;

using Clients = std::vector<int>;

char ask(int fd) {
  lab::send_all(fd, "?");
  const std::string answer = lab::receive(fd, 1);
  return answer.empty() ? '-' : answer[0];
}

bool hears_within(int fd, int ms) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, ms) == 1;
}

std::size_t count(const Clients& clients, auto is_true) {
  std::size_t found = 0;
  for (const int fd : clients) found += is_true(fd) ? 1 : 0;
  return found;
}

void leave(Clients& clients) {
  close(clients.back());
  clients.pop_back();
}

// [walk credits]
// As many clients as there are places, and one more. Then one leaves, which makes a place for it.
std::array<Clients, reactor_count> fill(const Server& server) {
  std::array<Clients, reactor_count> of;
  bool in_turn = true;
  for (unsigned client = 0; client < reactor_count * places; ++client) {
    const int fd = lab::connect_to(server.port);
    const unsigned who = ask(fd) == '0' ? 0 : 1;
    in_turn &= who == client % reactor_count;
    of[who].push_back(fd);
  }
  std::printf("64 clients: reactor 0 has %zu of them, reactor 1 has %zu\n", of[0].size(),
              of[1].size());
  lab::effect(in_turn, "they were given to the two in turn", "one reactor did not run for 200 ms");

  const int late = lab::connect_to(server.port);
  lab::send_all(late, "?");
  std::printf("one more is %s\n", hears_within(late, 100) ? "served" : "left in the backlog");
  leave(of[1]);
  std::printf("a client of reactor 1 leaves: the one more is answered by reactor %s\n",
              lab::receive(late, 1).c_str());
  of[1].push_back(late);
  return of;
}
// [/walk]

// [walk stall]
// Both reactors have a free place, and reactor 0 stands still.
int stall(const Server& server, std::array<Clients, reactor_count>& of) {
  for (Clients& clients : of) leave(clients);
  while (server.closed() < 3) sched_yield();
  lab::send_all(of[0][0], "!");
  held.wait(false);
  for (const int fd : of[0]) {
    if (fd != of[0][0]) lab::send_all(fd, "?");
  }
  const std::size_t served = count(of[1], [](int fd) { return ask(fd) == '1'; });
  std::printf("reactor 0 stands still: %zu of its clients are answered, and %zu of reactor 1's\n",
              count(of[0], [](int fd) { return hears_within(fd, 0); }), served);
  // When the acceptor has ticked eight times and the reactor not once, the reactor counts as
  // asleep.
  const lab::Counter& ticks = server.stats[reactor_count].heartbeat;
  for (const std::uint64_t begun = ticks.get(); ticks.get() < begun + 10;) usleep(1000);
  const int late = lab::connect_to(server.port);
  lab::send_all(late, "?");
  lab::effect(hears_within(late, 1000), "a new client is served by the one that is awake",
              "reactor 1 did not run for 200 ms either");
  return late;
}
// [/walk]

// @return in a word, what becomes of a client that comes after the end
const char* come_late(std::uint16_t port) {
  const lab::Fd fd(lab::need_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  const sockaddr_in address = lab::loopback_address(port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno == ECONNREFUSED ? "refused" : "not connected";
  }
  lab::send_all(fd.get(), "?");
  return hears_within(fd.get(), 500) ? "answered" : "connected, and nobody answers";
}

// [walk drain]
void drain(const Server& server, const std::array<Clients, reactor_count>& of) {
  const auto hears_the_end = [](int fd) { return lab::receive(fd, 1).empty(); };
  lab::send_control(server.control[0].get(), lab::command_drain);
  std::printf("drain: %zu clients of reactor 1 hear the end, and reactor 0 still stands\n",
              count(of[1], hears_the_end));
  let_go.release();
  std::printf("reactor 0 goes on: %zu of its clients are answered",
              count(of[0], [](int fd) { return lab::receive(fd, 1) == "0"; }));
  std::printf(", and %zu hear the end\n", count(of[0], hears_the_end));
  for (unsigned number = 0; number < reactor_count; ++number) {
    while (!server.acceptor->outlet(number).ended()) sched_yield();
  }
  std::printf("who comes now is %s\n", come_late(server.port));
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv, "", 20);
  const lab::Features features = lab::Features::detect();  // the reactors go on asking it
  try {
    Server server;
    server.start(features);
    // [walk main]
    lab::ClientThread clients([&server] {
      auto of = fill(server);
      const int late = stall(server, of);
      drain(server, of);
      for (const int fd : {late, server.listener}) close(fd);
    });
    bool clean = server.acceptor->run();
    clients.join();
    for (lab::ReactorThread& reactor : server.reactors) clean &= reactor.join();
    // [/walk]
    if (!clean) lab::fail("something is still in flight");
  } catch (const std::exception& error) {
    lab::fail(error.what());
  }
  return lab::ok();
}
