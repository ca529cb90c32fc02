#include "tests/http/socket_run.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"
#include "tests/tls/tls_client.hpp"

namespace lab::test {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Fd connect_to(const ServerAddress& server) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(server.port);
  four.sin_family = AF_INET;
  four.sin_port = htons(server.port);
  const bool is_six = inet_pton(AF_INET6, server.host.c_str(), &six.sin6_addr) == 1;
  if (!is_six && inet_pton(AF_INET, server.host.c_str(), &four.sin_addr) != 1)
    throw std::runtime_error("\"" + server.host + "\" is no address. Cure: numbers, as 127.0.0.1");
  Fd socket(::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) fail("socket");
  const auto* address =
      is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const socklen_t size = is_six ? sizeof six : sizeof four;
  if (::connect(socket.get(), address, size) != 0) fail("connect");
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

/// One connection from the client's side. It reads while it writes: a server that answers early
/// would else wait for it.
class Client {
 public:
  Client(const ServerAddress& server, unsigned patience_ms)
      : socket_(connect_to(server)), until_(Clock::now() + std::chrono::milliseconds(patience_ms)) {
    if (!server.tls) return;
    tls_.emplace();
    out_ = tls_->take_records();
    read_until([&] { return tls_->connected(); });
  }

  void send(std::string_view bytes) {
    if (tls_) {
      tls_->write(bytes);
      out_ += tls_->take_records();
    } else {
      out_ += bytes;
    }
    flush();
  }
  void end() {
    if (tls_) {
      tls_->close_notify();
      out_ += tls_->take_records();
      flush();
    }
    ::shutdown(socket_.get(), SHUT_WR);
  }
  /// Until `done()`, or the server has ended, or nobody has patience any more.
  template <class Done>
  void read_until(Done done) {
    flush();
    while (transcript.end == End::open && !done() && wait(POLLIN)) {
      receive();
      flush();
    }
  }

  Transcript transcript;

 private:
  bool wait(short events) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until_ - Clock::now()).count();
    pollfd entry{.fd = socket_.get(), .events = events};
    return left > 0 && ::poll(&entry, 1, static_cast<int>(left)) > 0;
  }
  void flush() {
    std::size_t sent = 0;
    while (sent < out_.size() && can_send_ && transcript.end == End::open) {
      if (!wait(POLLIN | POLLOUT)) break;
      const ssize_t count = ::send(socket_.get(), out_.data() + sent, out_.size() - sent,
                                   MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) sent += static_cast<std::size_t>(count);
      if (count < 0 && errno != EAGAIN) can_send_ = false;  // what was answered may still be read
      receive();
    }
    out_.erase(0, sent);
  }
  void receive() {
    std::array<char, 65536> space;
    const ssize_t count = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (count > 0) take({space.data(), static_cast<std::size_t>(count)});
    // Whether the server lingers shows only in what it does not do: a reset.
    if (count == 0) {
      transcript.end = tls_ && !tls_->got_close_notify() ? End::reset : End::lingers;
    }
    if (count < 0 && errno != EAGAIN) transcript.end = End::reset;
  }
  void take(std::string_view bytes) {
    if (!tls_) {
      transcript.bytes += bytes;
      return;
    }
    tls_->feed(bytes);
    transcript.bytes += std::exchange(tls_->text, {});
    out_ += tls_->take_records();
  }

  Fd socket_;
  Clock::time_point until_;
  std::optional<TlsClient> tls_;
  std::string out_;  ///< to be sent
  bool can_send_ = true;
};

}  // namespace

ServerAddress parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::string digits = colon == std::string::npos ? "" : text.substr(colon + 1);
  const auto port = decimal_saturated(digits);
  if (!port || *port == 0 || *port > 65535)
    throw std::runtime_error("\"" + text + "\" has no port. Cure: as 127.0.0.1:8080 or [::1]:8080");
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = host, .port = static_cast<std::uint16_t>(*port)};
}

Transcript run_over_socket(const ServerAddress& server, const Case& wanted, unsigned patience_ms) {
  Client client(server, patience_ms);
  for (const Step& step : wanted.steps) {
    if (step.kind == Step::Kind::send) client.send(step.text);
    if (step.kind == Step::Kind::end) client.end();
  }
  if (wanted.then == Then::open) client.send(probe);
  client.read_until(
      [&] { return wanted.then == Then::open && is_complete(wanted, client.transcript.bytes); });
  return client.transcript;
}

std::string ask_for_tag(const ServerAddress& server, const std::string& path,
                        const std::string& coding, unsigned patience_ms) {
  Client client(server, patience_ms);
  client.send("HEAD " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept-Encoding: " +
              coding + "\r\n\r\n");
  client.read_until([] { return false; });
  std::string_view bytes = client.transcript.bytes;
  HttpAnswer answer;
  std::string problem;
  const bool complete = take_answer(bytes, true, answer, problem);
  const std::string* tag = complete ? answer.field("ETag") : nullptr;
  if (tag == nullptr)
    throw std::runtime_error("the server gives no ETag for " + path +
                             ". Cure: let it serve what --write-site has written");
  return *tag;
}

}  // namespace lab::test
