#include "05-performance/ringload/http_questions.hpp"

#include <fmt/format.h>
#include <sys/time.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "01-core/lib/check.hpp"
#include "05-performance/bench/host_port.hpp"
#include "05-performance/ringload/sockets.hpp"

namespace lab {

namespace {

constexpr std::size_t head_size_max = std::size_t{64} << 10;
constexpr std::size_t answer_size_max = std::size_t{1} << 30;

[[noreturn]] void refuse(const std::string& path, const std::string& cause) {
  throw std::runtime_error(fmt::format("GET {}: {}", path, cause));
}

bool equal_names(std::string_view one, std::string_view other) {
  return std::ranges::equal(
      one, other, {}, [](unsigned char c) { return std::tolower(c); },
      [](unsigned char c) { return std::tolower(c); });
}

// The value of a field, without the white space around it.
std::optional<std::string_view> field(std::string_view head, std::string_view name) {
  for (std::size_t begin = head.find("\r\n"); begin + 2 < head.size();) {
    begin += 2;
    const std::size_t end = std::min(head.find("\r\n", begin), head.size());
    const std::string_view line = head.substr(begin, end - begin);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && equal_names(line.substr(0, colon), name)) {
      const std::size_t from = line.find_first_not_of(" \t", colon + 1);
      if (from == std::string_view::npos) return line.substr(line.size());
      return line.substr(from, line.find_last_not_of(" \t") + 1 - from);
    }
    begin = end;
  }
  return std::nullopt;
}

Fd connect_patiently(const LoadOptions& options, const ServerAddress& server) {
  Fd fd = open_tcp_socket(options, server.family(), Ending::fin);
  const auto seconds = static_cast<time_t>(options.patience_s);
  const timeval patience{.tv_sec = std::max<time_t>(seconds, 1), .tv_usec = 0};
  check_errno(setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
              "SO_RCVTIMEO");
  check_errno(connect(fd.get(), reinterpret_cast<const sockaddr*>(&server.storage), server.size),
              "connect");
  return fd;
}

std::string question_for(const LoadOptions& options, const std::string& path) {
  std::string text = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n", path,
                                 host_port_text(options.host, options.port));
  for (const std::string& header : options.http->headers) text += header + "\r\n";
  return text + "\r\n";
}

// Appends what comes next.
void receive_more(const Fd& fd, std::string& text, const std::string& path) {
  char piece[65536];
  const ssize_t count = recv(fd.get(), piece, sizeof piece, 0);
  if (count > 0) {
    text.append(piece, static_cast<std::size_t>(count));
    return;
  }
  if (count == 0) {
    refuse(path, fmt::format("the server closed the connection after {} bytes", text.size()));
  }
  refuse(path, errno == EAGAIN ? fmt::format("{} bytes came, and no more (--patience). Does it "
                                             "speak HTTP?",
                                             text.size())
                               : std::string(std::strerror(errno)));
}

std::size_t body_size(std::string_view head, const std::string& path) {
  const std::string_view status = head.substr(0, head.find("\r\n"));
  if (!status.starts_with("HTTP/1.1 ") && !status.starts_with("HTTP/1.0 ")) {
    refuse(path, "the answer is not HTTP/1");
  }
  const std::string_view code = status.substr(9, 3);
  if (code == "304" || code == "204") return 0;
  if (code >= "400") {
    refuse(path,
           fmt::format("\"{}\". A load of errors measures nothing. Cure: a path that is there",
                       status));
  }
  if (const auto connection = field(head, "Connection");
      connection && equal_names(*connection, "close")) {
    refuse(path, "the server closes the connection after each answer. Cure: keep-alive there");
  }
  const auto length = field(head, "Content-Length");
  std::size_t size = 0;
  if (length) std::from_chars(length->data(), length->data() + length->size(), size);
  if (!length || size > answer_size_max) {
    refuse(path,
           "no Content-Length of at most 1 GiB: such an answer cannot be compared with the "
           "next. Cure: a file");
  }
  return size;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Exchange learn(const LoadOptions& options, const Fd& fd, const std::string& path) {
  const std::string question = question_for(options, path);
  if (send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    refuse(path, std::strerror(errno));
  }
  std::string text;
  std::size_t head_end = std::string::npos;
  while ((head_end = text.find("\r\n\r\n")) == std::string::npos) {
    if (text.size() > head_size_max) refuse(path, "no end of a head in 64 KiB");
    receive_more(fd, text, path);
  }
  const std::string_view head = std::string_view(text).substr(0, head_end);
  const std::size_t size = head_end + 4 + body_size(head, path);
  Exchange exchange;
  if (const auto date = field(head, "Date")) {
    exchange.changing_begin = static_cast<std::size_t>(date->data() - text.data());
    exchange.changing_size = date->size();
  }
  while (text.size() < size) receive_more(fd, text, path);
  if (text.size() > size) refuse(path, "more bytes came than Content-Length says");
  exchange.question = bytes_of(question);
  exchange.answer = bytes_of(text);
  return exchange;
}

}  // namespace

std::vector<Exchange> learn_http(const LoadOptions& options) {
  const Fd fd = connect_patiently(options, find_tcp_server(options));
  std::vector<Exchange> exchanges;
  for (const std::string& path : options.http->paths) {
    exchanges.push_back(learn(options, fd, path));
  }
  return exchanges;
}

}  // namespace lab
