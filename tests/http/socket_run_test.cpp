// The table over sockets: against a server of a few lines on the same protocol, and against servers
// that do something wrong.
#include "tests/http/socket_run.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <stdexcept>
#include <thread>

#include "02-files/lib/fd.hpp"
#include "tests/http/protocol_run.hpp"

namespace lab::test {
namespace {

constexpr unsigned patience_ms = 60'000;

/// Serves one connection after the other in a thread, until it is destroyed.
class SmallServer {
 public:
  using Serve = std::function<void(int fd)>;

  explicit SmallServer(Serve serve) : serve_(std::move(serve)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 64) != 0)
      throw std::runtime_error("cannot listen");
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    address_.port = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const Fd connection(::accept(listener_.get(), nullptr, nullptr));
        if (connection.get() < 0) return;
        serve_(connection.get());
      }
    });
  }
  ~SmallServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  SmallServer(const SmallServer&) = delete;
  SmallServer& operator=(const SmallServer&) = delete;

  const ServerAddress& address() const { return address_; }

 private:
  Serve serve_;
  Fd listener_;
  ServerAddress address_;
  std::thread thread_;
};

void send_all(int fd, std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(fd, &bytes[sent], bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  bytes.clear();
}

// Reads what still comes, so that no reset overtakes the answer.
void linger(int fd) {
  std::array<char, 65536> space;
  ::shutdown(fd, SHUT_WR);
  while (::recv(fd, space.data(), space.size(), 0) > 0) {
  }
}

/// @param spoil what happens to each piece of the output
void serve_protocol(HttpWorld& world, int fd, void (*spoil)(std::string&)) {
  TestConnection<HttpTestProtocol> connection(world.shared);
  connection.io.files = world.site.streams();
  std::array<char, 65536> space;
  constexpr int tick_ms = 50;
  while (!connection.ended()) {
    pollfd entry{.fd = fd, .events = POLLIN};
    if (::poll(&entry, 1, tick_ms) == 0) {
      connection.pass(tick_ms);
    } else {
      const ssize_t count = ::recv(fd, space.data(), space.size(), 0);
      if (count < 0) return;
      if (count == 0) connection.feed_end();
      connection.feed({space.data(), static_cast<std::size_t>(count)});
    }
    spoil(connection.output);
    send_all(fd, connection.output);
  }
  if (!connection.io.was_reset) linger(fd);
}

std::vector<Case> table(const ServerAddress& server) {
  return read_cases(LAB_HTTP_CASES, [&](const std::string& path, const std::string& coding) {
    return ask_for_tag(server, path, coding, patience_ms);
  });
}

HttpOptions impatient() {
  HttpOptions options;
  options.request_ms = 1000;
  return options;
}

TEST(HttpSocketRun, TheWholeTable) {
  HttpWorld world(false, impatient());
  const SmallServer server([&](int fd) { serve_protocol(world, fd, [](std::string&) {}); });
  for (const Case& wanted : table(server.address())) {
    const auto wrong = compare(wanted, run_over_socket(server.address(), wanted, patience_ms));
    EXPECT_TRUE(wrong.empty()) << wanted.name << " " << wanted.title << joined(wrong);
  }
}

TEST(HttpSocketRun, AServerThatSpoilsItsAnswersIsFound) {
  HttpWorld world(false, impatient());
  std::vector<Case> cases;
  {
    const SmallServer good([&](int fd) { serve_protocol(world, fd, [](std::string&) {}); });
    cases = table(good.address());
  }
  const SmallServer server([&](int fd) {
    serve_protocol(world, fd, [](std::string& output) {
      if (output.size() > 12) output.replace(9, 3, "299");
    });
  });
  for (const Case& wanted : cases) {
    if (wanted.wants.empty()) continue;
    EXPECT_FALSE(compare(wanted, run_over_socket(server.address(), wanted, patience_ms)).empty())
        << wanted.name;
  }
}

TEST(HttpSocketRun, AServerThatHangsUpIsFound) {
  const SmallServer server([](int) {});
  const FindTag none = [](const std::string&, const std::string&) { return "\"t\""; };
  for (const Case& wanted : read_cases(LAB_HTTP_CASES, none)) {
    if (wanted.wants.empty()) continue;
    EXPECT_FALSE(compare(wanted, run_over_socket(server.address(), wanted, patience_ms)).empty())
        << wanted.name;
  }
}

TEST(HttpSocketRun, AddressesThatAreNone) {
  EXPECT_EQ(parse_address("[::1]:80").host, "::1");
  EXPECT_EQ(parse_address("127.0.0.1:65535").port, 65535);
  for (const char* text : {"", "80", "h:", "h:0", "h:65536", "h:x"})
    EXPECT_THROW(parse_address(text), std::runtime_error) << text;
}

}  // namespace
}  // namespace lab::test
