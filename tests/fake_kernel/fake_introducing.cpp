// A proxy that names each client to its upstream: what the kernel says of the two ends of a
// connection, and the line that must therefore come before the client's first byte.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "tests/fake_kernel/fake_kernel.hpp"

namespace lab::fake {

namespace {

constexpr std::uint16_t own_port = 4433;

sockaddr_in end_of(unsigned network, unsigned number, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (network << 16U) + (number << 4U));
  return address;
}

std::string text_of(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
}

// The server asks the real kernel for the ends of the descriptor that it is given. A datagram
// socket has two without sending anything. Another process of this test may have the same.
int descriptor_between(const sockaddr_in& own, const sockaddr_in& peer) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  const auto* from = reinterpret_cast<const sockaddr*>(&own);
  const auto* to = reinterpret_cast<const sockaddr*>(&peer);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
      bind(fd, from, sizeof own) == 0 && connect(fd, to, sizeof peer) == 0) {
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

}  // namespace

void FakeKernel::attempt_install(Operation& op) {
  if (std::exchange(op.fresh, false) && scenario_.introduction_ns > 0) {
    op.ready_at = clock_.now() + scenario_.introduction_ns;
    clock_.after(scenario_.introduction_ns, [] {});
    return;
  }
  Socket& socket = *op.socket;
  socket.line = "PROXY UNKNOWN\r\n";
  if (!can_reset_) {  // a kernel without options on slots (6.7) has no such operation either (6.8)
    trace_.note("cqe #{} install: unknown", socket.id);
    return finish(op, -EINVAL);
  }
  const std::uint16_t port = static_cast<std::uint16_t>(1024 + socket.id);
  const sockaddr_in own = end_of(2, socket.id % 7, own_port);
  const sockaddr_in peer = end_of(1, socket.id, port);
  int fd = -EMFILE;
  if (socket.dead) {  // it has no ends any more
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  } else if (const int made = descriptor_between(own, peer); made >= 0) {
    fd = made;
    socket.line =
        fmt::format("PROXY TCP4 {} {} {} {}\r\n", text_of(peer), text_of(own), port, own_port);
  }
  trace_.note("cqe #{} install: {}", socket.id, fd < 0 ? "error" : "a descriptor");
  finish(op, fd);
}

// What is heard here: the line, where there is one, and then what the other one has said.
std::size_t FakeKernel::agrees(const Socket& socket, std::uint64_t position,
                               std::span<const std::byte> heard) {
  const std::string_view line = socket.other != nullptr ? socket.other->line : std::string_view();
  std::size_t count = 0;
  for (; count < heard.size() && position + count < line.size(); ++count) {
    if (heard[count] != static_cast<std::byte>(line[position + count])) return count;
  }
  return count + socket.script->agrees(position + count - line.size(), heard.subspan(count));
}

// Its upstream is there and has not been told who it is: the kernel has not said so yet, or there
// is no buffer for the line.
bool FakeKernel::is_being_introduced(const Socket& client) const noexcept {
  return client.introduces &&
         (client.installs > 0 || clock_.now() - pooled_out_at_ < 100 * millisecond);
}

}  // namespace lab::fake
