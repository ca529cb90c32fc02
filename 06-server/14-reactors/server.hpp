// The server of this lesson: an acceptor, two reactors, and a protocol that says who serves.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <span>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/loopback.hpp"
#include "06-server/lib/engine/reactor_acceptor.hpp"
#include "06-server/lib/process/reactor_thread.hpp"

namespace reactors {

inline constexpr unsigned reactor_count = 2;
inline constexpr unsigned places = 32;  // of each reactor
inline constexpr lab::WorkerOptions options{
    .connections_max = places, .buffer_count = 128, .buffer_size = 4096, .pooled_count = 16};

inline std::atomic<bool> held = false;  // a reactor stands still
inline std::binary_semaphore let_go{0};

// [walk protocol]
// Answers each question with the number of the reactor that serves it. The question "!" stops the
// reactor's thread first, as a blocking call in a protocol would.
struct Who : lab::ProtocolDefaults {
  struct Shared {
    char number = '?';
  };
  explicit Who(Shared& shared) noexcept : shared_(shared) {}
  void on_bytes(auto& io, lab::Segment question) noexcept {
    if (question.bytes()[0] == std::byte{'!'}) {
      held = true;
      held.notify_all();
      let_go.acquire();
    }
    io.send(lab::Segment::stable(std::as_bytes(std::span(&shared_.number, 1))));
  }
  Shared& shared_;
};
// [/walk]

// The threads, and what they are told by.
struct Server {
  std::uint16_t port = 0;
  int listener = lab::listen_on_loopback(port, 128);
  std::array<lab::WorkerStats, reactor_count + 1> stats;  // the last is the acceptor's
  std::array<lab::Fd, 2> control;                         // the operator's end, and the acceptor's
  std::unique_ptr<lab::ReactorAcceptor> acceptor;
  std::array<lab::ReactorThread, reactor_count> reactors;

  void start(const lab::Features& features);
  std::uint64_t closed() const {
    return stats[0].get(lab::Stat::closed) + stats[1].get(lab::Stat::closed);
  }
};

// [walk start]
// The reactors first: how many credits the acceptor has for them is known when they have started.
inline void Server::start(const lab::Features& features) {
  int pair[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  control = {lab::Fd(pair[0]), lab::Fd(pair[1])};
  const std::array<const lab::WorkerStats*, reactor_count> counted{stats.data(), &stats[1]};
  acceptor = std::make_unique<lab::ReactorAcceptor>(
      lab::ReactorAcceptor::Options{.balance = lab::ConnectionBalance::round_robin},
      stats[reactor_count], counted);
  for (unsigned number = 0; number < reactor_count; ++number) {
    reactors[number].start<Who>({.number = number,
                                 .options = options,
                                 .features = features,
                                 .stats = stats[number],
                                 .outlet = acceptor->outlet(number)},
                                lab::ReactorThread::AtEnd::destroy, [number] {
                                  const char name = static_cast<char>('0' + number);
                                  return std::make_unique<Who::Shared>(Who::Shared{name});
                                });
  }
  acceptor->start(listener, control[1].get());
}
// [/walk]

}  // namespace reactors
