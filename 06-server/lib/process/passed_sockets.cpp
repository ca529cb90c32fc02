#include "06-server/lib/process/passed_sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>

namespace lab {

namespace {

constexpr int first_fd = 3;  // SD_LISTEN_FDS_START
constexpr int fds_max = 1024;

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<std::string> take_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string copy = value;
  unsetenv(name);
  return copy;
}

std::optional<int> option_of(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, name, &value, &size) != 0) return std::nullopt;
  return value;
}

[[noreturn]] void refuse(int fd, const char* what, const char* cure) {
  throw std::invalid_argument(
      fmt::format("LISTEN_FDS: descriptor {}, which this server was started with, {}. Cure: {}", fd,
                  what, cure));
}

void check_listens(int fd) {
  if (fcntl(fd, F_GETFD) == -1) {
    refuse(fd, "is not open",
           "start it by the .socket unit, or leave LISTEN_FDS out and give --port");
  }
  const std::optional<int> type = option_of(fd, SO_TYPE);
  if (!type) refuse(fd, "is no socket", "in the .socket unit ListenStream= and nothing else");
  if (*type != SOCK_STREAM) {
    refuse(fd, "is a socket for datagrams (UDP)",
           "in the .socket unit ListenStream= in place of ListenDatagram=");
  }
  if (option_of(fd, SO_ACCEPTCONN) != 1) {
    refuse(fd, "is a socket that does not listen: a connection",
           "in the .socket unit Accept=no, or listen() before the server is started");
  }
}

std::pair<std::string, std::uint16_t> place_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return {text, ntohs(v6.sin6_port)};
  }
  refuse(fd, "listens at no TCP port", "in the .socket unit ListenStream=PORT or ADDRESS:PORT");
}

}  // namespace

PassedSockets take_passed_sockets(unsigned workers) {
  const std::optional<std::string> count_text = take_variable("LISTEN_FDS");
  const std::optional<std::string> pid_text = take_variable("LISTEN_PID");
  unsetenv("LISTEN_FDNAMES");
  PassedSockets passed;
  if (!count_text || !pid_text || number(*pid_text) != getpid()) return passed;
  const std::optional<int> count = number(*count_text);
  if (!count || *count > fds_max) {
    throw std::invalid_argument(fmt::format(
        "LISTEN_FDS: '{}' is no number of descriptors (0 to {}). Cure: leave it to systemd, or "
        "set it to how many sockets begin at descriptor {}",
        *count_text, fds_max, first_fd));
  }
  for (int fd = first_fd; fd < first_fd + *count; ++fd) {
    check_listens(fd);
    const auto place = place_of(fd);
    if (passed.fds.empty()) std::tie(passed.address, passed.port) = place;
    if (place != std::pair(passed.address, passed.port)) {
      refuse(fd, "listens elsewhere than the ones before it",
             "one address and port for a server, and another server for the other");
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    passed.fds.push_back(fd);
  }
  if (passed.fds.size() > 1 && passed.fds.size() != workers) {
    throw std::invalid_argument(fmt::format(
        "LISTEN_FDS: {} sockets for {} listener{}: some would have no worker, or some workers no "
        "socket. Cure: one socket for all, or --workers {}",
        passed.fds.size(), workers, workers == 1 ? "" : "s", passed.fds.size()));
  }
  return passed;
}

void let_block(const std::vector<int>& passed) {
  for (const int fd : passed) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

}  // namespace lab
