#include "tests/http_server/http_client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "01-core/lib/check.hpp"

namespace lab {

HttpClient::HttpClient(std::uint16_t port, int receive_buffer,
                       std::optional<test::TlsClientOptions> tls)
    : socket_(check_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
  if (receive_buffer != 0) {
    check_errno(
        setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer),
        "SO_RCVBUF");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Failure(fmt::format("cannot connect: {}", std::strerror(errno)));
  if (!tls) return;
  tls_.emplace(*tls);
  send_raw(tls_->take_records());
  while (!tls_->connected()) {
    if (!receive()) throw Failure("no handshake");
  }
}

void HttpClient::send(std::string_view bytes) {
  if (!tls_) return send_raw(bytes);
  tls_->write(bytes);
  send_raw(tls_->take_records());
}

void HttpClient::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) throw Failure(fmt::format("cannot send: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void HttpClient::ask(std::string_view path, std::string_view fields, std::string_view method) {
  send(fmt::format("{} {} HTTP/1.1\r\nHost: h\r\n{}\r\n", method, path, fields));
}

test::HttpAnswer HttpClient::answer(bool to_head) {
  test::HttpAnswer answer;
  std::string problem;
  for (;;) {
    std::string_view rest = received_;
    if (test::take_answer(rest, to_head, answer, problem)) {
      received_.erase(0, received_.size() - rest.size());
      return answer;
    }
    if (!problem.empty()) throw Failure("no answer: " + problem);
    if (!receive()) {
      throw Failure(fmt::format("the connection was {} {} bytes into an answer",
                                was_reset_ ? "reset" : "closed", received_.size()));
    }
  }
}

void HttpClient::wait_for_bytes() {
  if (received_.empty() && !receive()) throw Failure("the connection ended");
}

void HttpClient::reset() {
  const linger none{.l_onoff = 1, .l_linger = 0};
  check_errno(setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none), "SO_LINGER");
  socket_.reset();
}

bool HttpClient::ended() {
  while (receive()) {
  }
  return !was_reset_ && received_.empty() && (!tls_ || tls_->got_close_notify());
}

bool HttpClient::receive() {
  thread_local std::vector<char> space(256 << 10);
  pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (poll(&entry, 1, soon().left_ms()) == 0) throw Failure("nothing comes");
  const ssize_t count = recv(socket_.get(), space.data(), space.size(), 0);
  const std::string_view bytes(space.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  if (tls_ && count > 0) {
    tls_->feed(bytes);
    received_ += std::exchange(tls_->text, {});
    send_raw(tls_->take_records());
  } else {
    received_ += bytes;
  }
  was_reset_ = count < 0;
  return count > 0;
}

}  // namespace lab
