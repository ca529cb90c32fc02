#include "tests/conformance/client.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

// The sockets of the conformance client.

namespace lab {

namespace {

constexpr std::size_t chunk_size_max = 256 * 1024;
// Fewer bytes than this could stand anywhere by chance, so they are not searched for.
constexpr std::size_t search_size_min = 5;
constexpr std::size_t search_size_max = 16;

std::string error_text(int error) { return std::strerror(error); }

// Two buffers a thread: clearing 256 KiB for every small receive would cost more than the receive.
std::span<std::byte> scratch(std::size_t size) {
  thread_local std::vector<std::byte> bytes(chunk_size_max);
  return std::span(bytes).first(std::min(size, chunk_size_max));
}

std::span<std::byte> scratch_due(std::size_t size) {
  thread_local std::vector<std::byte> bytes(chunk_size_max);
  return std::span(bytes).first(size);
}

void set_option(int fd, int level, int option, int value) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) {
    throw Failure(fmt::format("client: setsockopt {}/{}: {}", level, option, error_text(errno)));
  }
}

// Where `window` stands in the stream `pattern` between two positions; nothing when it does not.
std::optional<std::uint64_t> find(const Pattern& pattern, std::span<const std::byte> window,
                                  std::uint64_t begin, std::uint64_t end) {
  if (end - begin < window.size()) return std::nullopt;
  std::vector<std::byte> bytes(end - begin);
  pattern.fill(begin, bytes);
  const void* found = memmem(bytes.data(), bytes.size(), window.data(), window.size());
  if (found == nullptr) return std::nullopt;
  return begin + static_cast<std::uint64_t>(static_cast<const std::byte*>(found) - bytes.data());
}

}  // namespace

int Deadline::left_ms() const {
  const auto left = std::chrono::ceil<Milliseconds>(at_ - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

Deadline Deadline::or_sooner(Clock::duration from_now) const {
  Deadline sooner(from_now);
  return sooner.at_ < at_ ? sooner : *this;
}

bool Endpoint::loopback_v4() const {
  if (address.ss_family != AF_INET) return false;
  sockaddr_in v4;
  std::memcpy(&v4, &address, sizeof v4);
  return (ntohl(v4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}

Endpoint resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) {
    throw Failure(fmt::format("HOST: {} names no address: {}", host, gai_strerror(error)));
  }
  Endpoint endpoint;
  std::memcpy(&endpoint.address, list->ai_addr, list->ai_addrlen);
  endpoint.address_size = list->ai_addrlen;
  endpoint.text = list->ai_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                              : fmt::format("{}:{}", host, port);
  freeaddrinfo(list);
  return endpoint;
}

Stream::Stream(const Endpoint& server, Pattern pattern, const StreamOptions& options,
               Deadline deadline)
    : pattern_(pattern) {
  const int fd = socket(server.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw Failure(fmt::format("client: socket: {}", error_text(errno)));
  fd_ = fd;
  try {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options.send_buffer_size > 0) {
      set_option(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer_size);
    }
    if (options.receive_buffer_size > 0) {
      set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_size);
    }
    if (options.segment_size_max > 0) {
      set_option(fd, IPPROTO_TCP, TCP_MAXSEG, options.segment_size_max);
    }
    if (options.source != 0 && server.loopback_v4()) {
      // The port is chosen at connect, when the whole four-tuple is known: more of them are free
      // then.
      set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      sockaddr_in source = {};
      source.sin_family = AF_INET;
      source.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + options.source);
      if (bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
        throw Failure(
            fmt::format("client: bind 127.0.0.{}: {}", options.source, error_text(errno)));
      }
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&server.address), server.address_size) != 0) {
      if (errno != EINPROGRESS) {
        throw Failure(fmt::format("connect to {}: {}", server.text, error_text(errno)));
      }
      if (wait(POLLOUT, deadline) == 0) {
        throw Failure(
            fmt::format("connect to {}: no answer to the SYN by the deadline", server.text));
      }
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        throw Failure(fmt::format("connect to {}: {}", server.text, error_text(error)));
      }
    }
    if (options.tls) shake_hands(deadline);
  } catch (...) {
    close();
    throw;
  }
}

Stream::Stream(Stream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      tls_(std::move(other.tls_)),
      pattern_(other.pattern_),
      sent_(other.sent_),
      received_(other.received_),
      ended_(other.ended_),
      reset_(other.reset_) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  tls_ = std::move(other.tls_);
  pattern_ = other.pattern_;
  sent_ = other.sent_;
  received_ = other.received_;
  ended_ = other.ended_;
  reset_ = other.reset_;
  return *this;
}

Stream::~Stream() { close(); }

void Stream::send(std::size_t size, Deadline deadline) {
  while (size > 0) {
    size -= send_some(size);
    if (reset_) demand_open();
    if (size > 0 && wait(POLLOUT, deadline) == 0) {
      throw Failure(fmt::format("{}no room to send by the deadline: {} bytes sent, {} received",
                                name(), sent_, received_));
    }
  }
}

std::size_t Stream::send_some(std::size_t size) {
  std::size_t done = 0;
  const std::span<std::byte> chunk = scratch(size);
  if (tls_) tls_->flush();
  while (done < size) {
    const auto part = chunk.first(std::min(chunk.size(), size - done));
    pattern_.fill(sent_, part);
    if (tls_) {
      const std::size_t count = tls_->send(part);
      reset_ = tls_->was_reset();
      sent_ += count;
      done += count;
      if (count < part.size()) break;
      continue;
    }
    const ssize_t count = ::send(fd_, part.data(), part.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      if (errno != ECONNRESET && errno != EPIPE) {
        throw Failure(fmt::format("{}send: {}", name(), error_text(errno)));
      }
      reset_ = true;
      break;
    }
    sent_ += static_cast<std::uint64_t>(count);
    done += static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(count) < part.size()) break;
  }
  return done;
}

void Stream::receive(std::size_t size, Deadline deadline) {
  while (size > 0) {
    size -= receive_some(size);
    if (size == 0) break;
    demand_open();
    if (wait(POLLIN, deadline) == 0) {
      throw Failure(fmt::format("{}no answer by the deadline: {} bytes sent, {} received", name(),
                                sent_, received_));
    }
  }
}

std::size_t Stream::receive_some(std::size_t size) {
  const std::span<std::byte> chunk = scratch(size);
  if (tls_) {
    const std::size_t count = tls_->receive(chunk);
    ended_ = tls_->ended();
    reset_ = tls_->was_reset();
    check(chunk.first(count));
    return count;
  }
  for (;;) {
    const ssize_t count = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (count > 0) {
      check(chunk.first(static_cast<std::size_t>(count)));
      return static_cast<std::size_t>(count);
    }
    if (count == 0) {
      ended_ = true;
      return 0;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return 0;
    if (errno != ECONNRESET && errno != EPIPE) {
      throw Failure(fmt::format("{}recv: {}", name(), error_text(errno)));
    }
    reset_ = true;
    return 0;
  }
}

void Stream::exchange(std::size_t size, Deadline deadline) {
  const std::uint64_t target = received_ + size;
  std::size_t to_send = size;
  while (received_ < target) {
    to_send -= send_some(to_send);
    const std::size_t count = receive_some(static_cast<std::size_t>(target - received_));
    if (count > 0) continue;
    demand_open();
    if (wait(to_send > 0 ? POLLIN | POLLOUT : POLLIN, deadline) == 0) {
      throw Failure(fmt::format("{}nothing moves by the deadline: {} bytes sent, {} received",
                                name(), sent_, received_));
    }
  }
}

void Stream::finish() {
  if (tls_) return tls_->finish();
  // ENOTCONN: a reset came first, and the receive that follows says so.
  if (shutdown(fd_, SHUT_WR) != 0 && errno != ENOTCONN) {
    throw Failure(fmt::format("{}shutdown: {}", name(), error_text(errno)));
  }
}

void Stream::receive_to_end(Deadline deadline) {
  while (!ended_) {
    const std::size_t count = receive_some(chunk_size_max);
    if (count > 0 || ended_) continue;
    if (reset_) demand_open();
    if (wait(POLLIN, deadline) == 0) {
      throw Failure(fmt::format("{}{} by the deadline: {} bytes sent, {} received", name(),
                                received_ < sent_ ? "the rest did not come" : "no FIN came back",
                                sent_, received_));
    }
  }
  if (received_ < sent_) {
    throw Failure(fmt::format("{}the server ended the stream at byte {}, {} more were due", name(),
                              received_, sent_ - received_));
  }
}

void Stream::finish_and_check(Deadline deadline) {
  finish();
  receive_to_end(deadline);
}

void Stream::close() {
  tls_.reset();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Stream::close_with_reset() {
  if (fd_ < 0) return;
  const linger abort = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close();
}

bool Stream::retransmits() const {
  tcp_info info = {};
  socklen_t size = sizeof info;
  if (getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  // Nothing unacknowledged: it only asks whether the server's window has opened, which is the
  // server's to do. Retransmits begin at 0 with each byte that gets through, the interval does not.
  return info.tcpi_unacked > 0 && (info.tcpi_retransmits > 0 || info.tcpi_backoff > 0);
}

short Stream::wait(short events, Deadline deadline) const {
  if ((events & POLLIN) != 0 && has_bytes()) return POLLIN;
  pollfd entry = {.fd = fd_, .events = events, .revents = 0};
  for (;;) {
    if (holds_records()) entry.events = static_cast<short>(events | POLLOUT);
    const int ready = poll(&entry, 1, deadline.left_ms());
    if (ready > 0 && tls_) tls_->flush();
    if (ready > 0 && (entry.revents & ~POLLOUT) == 0 && (events & POLLOUT) == 0) {
      entry.events = events;  // only records had to leave
      continue;
    }
    if (ready > 0) return entry.revents;
    if (ready < 0 && errno != EINTR) throw Failure("client: poll: " + error_text(errno));
    if (deadline.passed()) return 0;
  }
}

void Stream::shake_hands(Deadline deadline) {
  tls_ = std::make_unique<TlsChannel>(fd_, name());
  while (!tls_->shake_hands()) {
    if (tls_->was_reset()) throw Failure(name() + "the server reset the connection's handshake");
    if (wait(POLLIN, deadline) == 0) {
      throw Failure(name() + "the handshake is not over by the deadline");
    }
  }
}

std::string Stream::name() const { return fmt::format("connection {}: ", pattern_.connection()); }

void Stream::check(std::span<const std::byte> bytes) {
  const std::span<std::byte> due = scratch_due(bytes.size());
  pattern_.fill(received_, due);
  if (std::memcmp(due.data(), bytes.data(), bytes.size()) != 0) {
    const auto at = std::mismatch(bytes.begin(), bytes.end(), due.begin()).first - bytes.begin();
    fail_mismatch(bytes, static_cast<std::size_t>(at));
  }
  received_ += bytes.size();
  if (received_ > sent_) {
    throw Failure(fmt::format("{}{} bytes came back, only {} were sent", name(), received_, sent_));
  }
}

// Says what happened: the bytes that came are looked up in this stream, then in those of its
// neighbours.
void Stream::fail_mismatch(std::span<const std::byte> bytes, std::size_t at) const {
  constexpr std::uint64_t own_reach = 16U << 20;
  constexpr std::uint64_t neighbour_reach = 256U << 10;
  constexpr std::uint64_t neighbours = 256;
  const std::uint64_t position = received_ + at;
  const std::string where = fmt::format("{}wrong byte at {}: ", name(), position);
  const std::vector<std::byte> more = read_on(bytes.subspan(at));
  const std::span rest(more);
  const auto window = rest.first(std::min(rest.size(), search_size_max));
  if (window.size() < search_size_min) {
    throw Failure(where + "too few bytes came with it to tell where they belong");
  }
  const auto from = [](std::uint64_t middle, std::uint64_t reach) {
    return middle > reach ? middle - reach : 0;
  };

  if (const auto found = find(pattern_, window, position, position + own_reach)) {
    std::array<std::byte, search_size_max> due;
    pattern_.fill(position, due);
    if (memmem(rest.data(), rest.size(), due.data(), due.size()) != nullptr) {
      throw Failure(
          fmt::format("{}reordered, bytes {}.. came before bytes {}..", where, *found, position));
    }
    throw Failure(fmt::format("{}{} bytes lost (or late), byte {} follows byte {}", where,
                              *found - position, *found, position == 0 ? 0 : position - 1));
  }
  if (const auto found = find(pattern_, window, from(position, own_reach), position)) {
    throw Failure(fmt::format("{}duplicated, bytes {}.. came a second time", where, *found));
  }
  const std::uint64_t self = pattern_.connection();
  for (std::uint64_t other = from(self, neighbours); other <= self + neighbours; ++other) {
    if (other == self) continue;
    const auto found = find(pattern_.of(other), window, from(position, neighbour_reach),
                            position + neighbour_reach);
    if (found) {
      throw Failure(
          fmt::format("{}mixed, these are bytes {}.. of connection {}", where, *found, other));
    }
  }
  std::vector<std::byte> due(rest.size());
  pattern_.fill(position, due);
  std::size_t wrong = 0;
  for (std::size_t index = 0; index < rest.size(); ++index)
    wrong += rest[index] != due[index] ? 1 : 0;
  throw Failure(fmt::format("{}corrupted, {} of the next {} bytes are wrong and belong nowhere",
                            where, wrong, rest.size()));
}

// The wrong bytes and those that follow them soon: what happened shows better in more of them.
std::vector<std::byte> Stream::read_on(std::span<const std::byte> bytes) const {
  std::vector<std::byte> all(bytes.begin(), bytes.end());
  const Deadline patience(Milliseconds(100));
  if (tls_) return all;  // a record was read as a whole
  while (all.size() < chunk_size_max && wait(POLLIN, patience) != 0) {
    std::array<std::byte, 4096> part;
    const ssize_t count = ::recv(fd_, part.data(), part.size(), 0);
    if (count <= 0) break;
    all.insert(all.end(), part.begin(), part.begin() + count);
  }
  return all;
}

void Stream::demand_open() const {
  if (!ended_ && !reset_) return;
  throw Failure(fmt::format("{}the server {} the connection: {} bytes sent, {} received", name(),
                            reset_ ? "reset" : "closed", sent_, received_));
}

int poll_streams(std::vector<pollfd>& entries,
                 const std::function<const Stream&(std::size_t)>& stream_of, int timeout_ms) {
  bool has_bytes = false;
  for (std::size_t index = 0; index < entries.size(); ++index) {
    if (entries[index].fd < 0) continue;
    has_bytes = has_bytes || stream_of(index).has_bytes();
    if (stream_of(index).holds_records()) entries[index].events |= POLLOUT;
  }
  int ready = poll(entries.data(), entries.size(), has_bytes ? 0 : timeout_ms);
  for (std::size_t index = 0; has_bytes && ready >= 0 && index < entries.size(); ++index) {
    if (entries[index].fd < 0 || !stream_of(index).has_bytes()) continue;
    entries[index].revents |= POLLIN;
    ++ready;
  }
  return ready;
}

std::size_t descriptors_available(std::size_t reserve) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t all = static_cast<std::size_t>(limit.rlim_cur);
  return all > reserve ? all - reserve : 0;
}

}  // namespace lab
