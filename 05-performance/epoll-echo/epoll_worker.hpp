// A plain, good echo server on epoll, the baseline that the io_uring server is compared with: what
// one worker is. Edge-triggered; two system calls a request (recv, send) and one epoll_wait for all
// that are ready. Lifetime: made and run by one thread of a process of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "03-network/lib/listener.hpp"

namespace lab {

struct EpollOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;
  unsigned workers = 1;
  std::size_t connections_max = 32768;
  std::size_t buffer_size = 16384;
  int backlog = 4096;
  SocketOptions socket_options = SocketOptions::tuned;
  std::string congestion;
  int pin = -1;
};

// Written by one worker, read by the first after the others have gone.
struct EpollStatistics {
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  std::uint64_t system_calls = 0;
  std::uint64_t cpu_us = 0;
};

struct EpollConnection {
  Fd fd;
  // What a full socket did not take: rest[rest_begin, rest_end). At most one buffer, for nothing is
  // read while it is not empty; that is all the back-pressure there is.
  std::unique_ptr<std::byte[]> rest;
  std::size_t rest_begin = 0;
  std::size_t rest_end = 0;
  // True when epoll has seen the peer's FIN: its edge is gone, so reading goes on until 0 comes.
  bool end_seen = false;
  // True while it stands in EpollWorker::again_; it has no rest then.
  bool queued = false;

  [[nodiscard]] bool has_rest() const { return rest_begin < rest_end; }
};

class EpollWorker {
 public:
  EpollWorker(const EpollOptions& options, int listener, EpollStatistics& statistics);

  // Returns after SIGTERM or SIGINT, which the caller has blocked.
  void run();

 private:
  void on_accept();
  void on_event(EpollConnection& connection, std::uint32_t events);
  void echo(EpollConnection& connection);
  bool send_or_keep(EpollConnection& connection, std::size_t size);
  bool flush(EpollConnection& connection);
  void close(EpollConnection& connection);
  void accept_again();
  void pause_accepting();
  void watch(int fd, std::uint32_t events, void* owner);

  const EpollOptions& options_;
  const int listener_;
  EpollStatistics& statistics_;
  Fd epoll_;
  Fd signals_;
  std::vector<std::byte> buffer_;
  // By descriptor. A connection's address stays, so that epoll can hold it.
  std::vector<std::unique_ptr<EpollConnection>> connections_;
  std::size_t open_ = 0;
  // Connections that used up their turns with more to read: no edge will come for what they have.
  std::vector<EpollConnection*> again_;
  // False while the listener is out of epoll, for want of connections or descriptors.
  bool accepting_ = true;
};

}  // namespace lab
