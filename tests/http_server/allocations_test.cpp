// After start() a worker that serves HTTP takes no memory from the heap: counted, by standing in
// for malloc, while each kind of answer is given.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "01-core/lib/check.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/lib/listener.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/process/log_writer.hpp"
#include "06-server/lib/protocol/http/access_log.hpp"
#include "06-server/lib/protocol/http/http_static.hpp"
#include "06-server/lib/site/site.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "tests/count_allocations.hpp"
#include "tests/http_server/http_client.hpp"
#include "tests/server/server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

using Http = HttpStatic<Site>;

/// A worker in a thread of its own, which drains when this dies.
class HttpWorkerThread {
 public:
  /// @param log a file: each answer gets a line there
  HttpWorkerThread(const SiteOptions& site, const std::string& log)
      : site_(std::make_unique<Generation>(build_site(site))),
        writer_(log_.lines(),
                Fd(check_errno(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), "open"))) {
    shared_.log_to(log_);
    int pair[2];
    check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    control_ = Fd(pair[0]);
    std::promise<void> started;
    thread_ = std::thread([this, theirs = pair[1], &started] { serve(Fd(theirs), started); });
    started.get_future().get();
  }
  ~HttpWorkerThread() { finish(); }
  HttpWorkerThread(const HttpWorkerThread&) = delete;
  HttpWorkerThread& operator=(const HttpWorkerThread&) = delete;

  std::uint16_t port() const { return listener_.port(); }
  void finish() {
    if (!thread_.joinable()) return;
    control_.reset();
    thread_.join();
  }

 private:
  void serve(const Fd& control, std::promise<void>& started) {
    Worker<Http> worker(
        {.connections_max = 64, .buffer_count = 64, .buffer_size = 16384, .peer_addresses = true},
        Features::detect(), *stats_, shared_);
    writer_.begin(worker.ring());
    worker.start(listener_.fd(), control.get());
    started.set_value();
    test::counting = true;
    worker.run();
    test::counting = false;
  }

  Site site_;
  std::array<Counter, HttpCounters::size> counters_;
  Http::Shared shared_{{}, site_, HttpCounters(counters_)};
  AccessLog log_{{.format = LogFormat::json}, HttpCounters(counters_).lines_lost()};
  LogWriter writer_;
  const std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
  const Listener listener_{ListenerOptions{.socket_options = SocketOptions::plain}};
  Fd control_;
  std::thread thread_;
};

TEST(HttpAllocations, NoneForAnyKindOfAnswer) {
  if (!test::allocations_are_counted) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  test::counting = true;
  delete new int;
  test::counting = false;
  ASSERT_EQ(test::allocations.exchange(0), 1U) << "the counter counts";

  const Folder folder;
  folder.write("index.html", prose(3000));
  folder.write("kept.bin", noise(90'000));
  folder.write("streamed.bin", noise(700'000));
  const Folder logs;
  HttpWorkerThread worker({.root = folder.path(), .memory_limit_file = 100'000},
                          logs.path("access.log"));
  HttpClient client(worker.port());
  const std::string tag = "If-None-Match: " + *client.get("/").field("ETag") + "\r\n";
  for (unsigned round = 0; round < 20; ++round) {
    EXPECT_EQ(client.get("/").status, 200);
    EXPECT_EQ(client.get("/", "Accept-Encoding: br\r\n").status, 200);
    client.ask("/", {}, "HEAD");
    EXPECT_EQ(client.answer(true).status, 200);
    EXPECT_EQ(client.get("/", tag).status, 304);
    EXPECT_EQ(client.get("/kept.bin").body.size(), 90'000U);
    EXPECT_EQ(client.get("/kept.bin", "Range: bytes=10-\r\n").status, 206);
    EXPECT_EQ(client.get("/none").status, 404);
    EXPECT_EQ(client.get("/streamed.bin").body.size(), 700'000U);
    EXPECT_EQ(client.get("/streamed.bin", "Range: bytes=-5000\r\n").body.size(), 5000U);
    HttpClient refused(worker.port());
    refused.send("GET / HTTP/1.1\n");
    EXPECT_EQ(refused.answer().status, 400);
    EXPECT_TRUE(refused.ended());
    // A head that comes in pieces is kept in a store.
    client.send("GET / HTT");
    client.send("P/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(client.answer().status, 200);
  }
  worker.finish();
  EXPECT_EQ(test::allocations.load(), 0U);
  const std::string lines = file_text(logs.path("access.log"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1 + 20 * 11);
}

}  // namespace
}  // namespace lab
