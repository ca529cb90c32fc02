// What io_uring cannot do at once it hands to kernel threads of the worker, which are named
// iou-wrk. There are few of them, however many clients take long or are gone: a thread for each
// would be a server of threads after all.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <string>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

unsigned kernel_threads(pid_t process) {
  unsigned count = 0;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process)))
    count += file_text(task.path() / "comm").starts_with("iou-wrk") ? 1 : 0;
  return count;
}

// Its pages are read from the disk again, where there is one.
void drop_from_cache(const std::string& path) {
  const Fd file(check_errno(open(path.c_str(), O_RDWR | O_CLOEXEC), "open"));
  check_errno(fsync(file.get()), "fsync");
  posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
}

class HttpKernelThreads : public testing::Test {
 protected:
  void look() { most_ = std::max(most_, kernel_threads(worker_)); }
  /// Clients of a file that is streamed, who read none of it.
  void ask_and_wait(std::uint16_t port, unsigned count);
  /// The end of each is an operation that has to wait: FIN, behind a refusal.
  void come_and_go(std::uint16_t port, unsigned count);

  const std::string content_ = noise(600'000);
  std::deque<HttpClient> waiting_;
  pid_t worker_ = -1;
  unsigned most_ = 0;
};

void HttpKernelThreads::ask_and_wait(std::uint16_t port, unsigned count) {
  for (unsigned number = 0; number < count; ++number) {
    waiting_.emplace_back(port, 4096);
    waiting_.back().ask("/streamed");
    waiting_.back().wait_for_bytes();
    if (number % 8 == 0) look();
  }
}

void HttpKernelThreads::come_and_go(std::uint16_t port, unsigned count) {
  for (unsigned number = 0; number < count; ++number) {
    HttpClient client(port);
    client.send("GET / HTTP/1.1\n");
    if (number % 2 == 0) client.wait_for_bytes();
    client.reset();
    if (number % 8 == 0) look();
  }
}

TEST_F(HttpKernelThreads, AreFewWhileManyClientsTakeTheirTime) {
  // What the kernel allows itself for files and shutdowns: io_uring_register_iowq_max_workers(3).
  const auto bound = static_cast<unsigned>(4 * sysconf(_SC_NPROCESSORS_ONLN));
  const unsigned clients = std::max(64U, 3 * bound);
  if (clients > 400) GTEST_SKIP() << "so many processors that the kernel's own bound is no bound";
  const Folder folder;
  folder.write("streamed", content_);
  drop_from_cache(folder.path("streamed"));
  ServerProcess server(
      http_server(folder.path(), {"--memory-limit-file", "100000", "--connections", "512"}));
  const std::uint16_t port = server.port();
  worker_ = server.workers().front();

  ask_and_wait(port, clients);
  come_and_go(port, sanitized ? 500 : 2000);
  EXPECT_LE(most_, bound) << "for " << clients << " downloads that nobody reads";
  for (HttpClient& client : waiting_) {
    const test::HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body == content_);
    look();
  }
  EXPECT_LE(most_, bound) << "while " << clients << " downloads went on";
  fmt::print("{} kernel threads at most, of {} that may be\n", most_, bound);
  waiting_.clear();
  expect_drains(server);
}

}  // namespace
}  // namespace lab
