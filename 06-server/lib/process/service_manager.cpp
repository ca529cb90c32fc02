#include "06-server/lib/process/service_manager.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace lab {

namespace {

std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string copy = value == nullptr ? "" : value;
  unsetenv(name);
  return copy;
}

// 0 where it is no number.
std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

ServiceManager::ServiceManager(unsigned blocks) : beats_(blocks) {
  const std::string place = take_variable("NOTIFY_SOCKET");
  const std::string period = take_variable("WATCHDOG_USEC");
  const std::string pid = take_variable("WATCHDOG_PID");
  if (!place.empty()) read_place(place);
  const bool ours = pid.empty() || number(pid) == static_cast<std::uint64_t>(getpid());
  if (!fd_ || period.empty() || !ours) return;
  ping_us_ = number(period) / 2;
  if (ping_us_ == 0) {
    complaint_ = fmt::format(
        "WATCHDOG_USEC: '{}' is no number of microseconds, so there is no watchdog. Cure: leave it "
        "to systemd (WatchdogSec=)",
        period);
  }
}

void ServiceManager::read_place(const std::string& place) {
  const bool fits = place.size() > 1 && place.size() < sizeof address_.sun_path;
  if (!fits || (place[0] != '/' && place[0] != '@')) {
    complaint_ = fmt::format(
        "NOTIFY_SOCKET: '{}' is neither a path nor an abstract name (@…) of at most {} bytes, so "
        "nobody is told how this server is. Cure: leave it to systemd, or unset it",
        place, sizeof address_.sun_path - 1);
    return;
  }
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, place.data(), place.size());
  address_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + place.size());
  if (place[0] == '@') {
    address_.sun_path[0] = '\0';  // unix(7): the length says where it ends
  } else {
    ++address_size_;
  }
  fd_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd_) complaint_ = fmt::format("no socket for NOTIFY_SOCKET: {}", std::strerror(errno));
}

std::uint64_t ServiceManager::now_us() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
}

void ServiceManager::ready(const std::string& status) {
  reloads_ = false;
  say("READY=1\nSTATUS=" + status);
}

void ServiceManager::reloading() {
  reloads_ = true;
  say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now_us()));
}

void ServiceManager::stopping(std::uint64_t longest_ms) {
  reloads_ = false;
  say(fmt::format("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC={}", longest_ms * 1000));
}

// One behind the other: a READY that overtakes a RELOADING would say the opposite. Of the pings
// the next one does as well.
void ServiceManager::say(const std::string& text) {
  if (!fd_) return;
  if (waiting_.empty() && send(text)) return;
  if (text == "WATCHDOG=1") return;
  if (waiting_.size() == waiting_max) waiting_.pop_front();
  waiting_.push_back(text);
}

void ServiceManager::send_waiting() {
  while (!waiting_.empty() && send(waiting_.front())) waiting_.pop_front();
}

// @return false when the manager has much to read: later. One that is not there any more (its
// socket is gone) is told nothing, and the server serves on.
bool ServiceManager::send(const std::string& text) noexcept {
  const ssize_t sent = sendto(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address_), address_size_);
  return sent >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOBUFS);
}

}  // namespace lab
