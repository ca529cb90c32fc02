// Clients that all come at once, in a network of their own, whose counters count nobody else.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <sstream>
#include <string>
#include <thread>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

/// @return false where there may be none
bool enter_network_of_its_own() {
  if (unshare(CLONE_NEWNET) != 0) return false;
  const Fd fd(check_errno(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  check_errno(ioctl(fd.get(), SIOCSIFFLAGS, &request), "lo");
  return true;
}

/// Clients that found the backlog full, in the network of the calling thread.
std::uint64_t listen_overflows() {
  std::istringstream all(file_text("/proc/thread-self/net/netstat"));
  for (std::string names, values; std::getline(all, names) && std::getline(all, values);) {
    std::istringstream name(names);
    std::istringstream value(values);
    for (std::string word, number; name >> word && value >> number;) {
      if (word == "ListenOverflows") return std::stoull(number);
    }
  }
  throw Failure("ListenOverflows is not counted here");
}

/// As many as are wanted, or as many as the limit of descriptors leaves.
unsigned clients_allowed(unsigned wanted) {
  rlimit limit{};
  check_errno(getrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE");
  limit.rlim_cur = limit.rlim_max;  // the server's, too
  check_errno(setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE");
  return static_cast<unsigned>(std::min<rlim_t>(wanted, limit.rlim_max - 200));
}

class HttpBurst : public testing::Test {
 protected:
  HttpBurst() { folder_.write("index.html", page_); }

  /// So many connect before the first of them asks; then each is answered, and stays.
  void come(std::uint16_t port, unsigned count) {
    const std::size_t first = clients_.size();
    for (unsigned number = 0; number < count; ++number) clients_.emplace_back(port);
    for (std::size_t i = first; i < clients_.size(); ++i) clients_[i].ask("/");
    for (std::size_t i = first; i < clients_.size(); ++i) {
      const test::HttpAnswer answer = clients_[i].answer();
      ASSERT_EQ(answer.status, 200) << i;
      ASSERT_TRUE(answer.body == page_) << i;
    }
  }
  void leave() {
    for (HttpClient& client : clients_) client.reset();
    clients_.clear();
  }
  void run();

  const std::string page_ = noise(1000);
  const Folder folder_;
  std::deque<HttpClient> clients_;
  std::string skipped_;
};

void HttpBurst::run() {
  const unsigned clients = clients_allowed(sanitized ? 4000 : 10'000);
  if (!enter_network_of_its_own()) {
    skipped_ = "a network namespace needs root";
    return;
  }
  // The kernel takes no more into a backlog, whatever --backlog says.
  const auto backlog = static_cast<unsigned>(std::stoul(file_text("/proc/sys/net/core/somaxconn")));
  const unsigned at_once = std::min(backlog, 4096U) - 96;
  ServerProcess server(http_server(folder_.path(), {"--connections", "16384"}));
  const std::uint16_t port = server.port();

  // What the backlog holds never overflows it, however long the worker is kept from its work.
  while (clients_.size() < clients && !HasFailure())
    come(port, std::min(at_once, clients - static_cast<unsigned>(clients_.size())));
  EXPECT_EQ(listen_overflows(), 0U) << "of " << clients << " clients, " << at_once << " at once";
  leave();

  // More may overflow it where the worker is slower than they come. Whoever finds it full tries
  // again by itself after a second, and is served as all others.
  const unsigned flood = std::min(clients, at_once + 2000);
  come(port, flood);
  fmt::print("{} connects at once, a backlog of {}: {} found it full\n", flood,
             std::min(backlog, 4096U), listen_overflows());
  leave();
  expect_drains(server);
}

TEST_F(HttpBurst, OfTenThousandNobodyIsLost) {
  std::jthread([&] { run(); }).join();
  if (!skipped_.empty()) GTEST_SKIP() << skipped_;
}

}  // namespace
}  // namespace lab
