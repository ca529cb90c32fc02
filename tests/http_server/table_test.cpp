// The table of tests/http asked of the server over sockets: kept in memory and streamed, with one
// worker and two, and without what Linux 6.1 has not. Each pair of two of these three stands in a
// row; in the others each feature is missing alone, one is asked over TLS, one has few and small
// buffers, and files of both kinds, and the last two are asked of the engine without io_uring.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/http/socket_run.hpp"
#include "tests/http/test_site.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

constexpr unsigned patience_ms = 60'000;

struct Row {
  std::string workers;
  bool streamed;
  std::vector<std::string> without;
  bool tls = false;
  std::vector<std::string> more = {};  ///< flags
};

/// Features that came after 6.1, and that a server uses where it finds them.
const std::vector<std::string> newer = {"timer-multishot", "zero-copy-report", "no-sqarray",
                                        "slot-options",    "recv-retry-limit", "slot-release",
                                        "recv-total",      "recv-bundle"};

std::vector<Row> rows() {
  std::vector<Row> all = {
      {"1", false, {}}, {"2", true, {}}, {"1", true, newer}, {"2", false, newer}};
  for (const std::string& feature : newer) {
    const std::size_t number = all.size();
    all.push_back({number % 2 == 0 ? "1" : "2", number / 2 % 2 == 0, {feature}});
  }
  all.push_back({"2", true, {}, true});
  all.push_back({.workers = "1",
                 .streamed = false,
                 .without = {},
                 .more = {"--buffer-count", "64", "--buffer-size", "1024", "--answer-buffer-count",
                          "16", "--answer-buffer-size", "4096", "--memory-limit-file", "500"}});
#ifdef LAB_HAS_LIBUV
  const std::vector<std::string> portable{"--backend", "portable"};
  all.push_back({.workers = "1", .streamed = true, .without = {}, .more = portable});
  all.push_back({.workers = "2", .streamed = false, .without = {}, .tls = true, .more = portable});
#endif
  return all;
}

std::string words(const std::vector<std::string>& flags) {
  std::string all;
  for (const std::string& flag : flags) all += flag + " ";
  return all;
}

// Most cases wait for the server, and the slowest for a timeout: several at once.
void ask_all(const test::ServerAddress& server, const std::vector<test::Case>& cases,
             const std::string& flags) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::vector<std::string> wrong;
  const auto ask = [&] {
    for (std::size_t at = next++; at < cases.size(); at = next++) {
      const test::Case& wanted = cases[at];
      const auto found = test::compare(wanted, test::run_over_socket(server, wanted, patience_ms));
      if (found.empty()) continue;
      const std::lock_guard lock(mutex);
      wrong.push_back(wanted.name + " " + wanted.title + ": " + found.front());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < 4; ++number) threads.emplace_back(ask);
  for (std::thread& thread : threads) thread.join();
  for (const std::string& what : wrong) ADD_FAILURE() << flags << what;
}

TEST(HttpServerTable, EveryRow) {
  const Folder folder;
  test::write_site(folder.path());
  std::vector<test::Case> cases;
  for (const Row& row : rows()) {
    std::vector<std::string> flags = {"--workers",       row.workers,  "--request-timeout", "1000",
                                      "--cache-control", "*=no-cache", "--compress",        "none"};
    if (row.streamed) flags.insert(flags.end(), {"--memory-limit-file", "0"});
    for (const std::string& feature : row.without)
      flags.insert(flags.end(), {"--without", feature});
    if (row.tls) flags.insert(flags.end(), {"--tls", "self-signed"});
    flags.insert(flags.end(), row.more.begin(), row.more.end());
    ServerProcess server(http_server(folder.path(), flags));
    const test::ServerAddress address{.port = server.port(), .tls = row.tls};
    const auto find_tag = [&](const std::string& path, const std::string& coding) {
      return test::ask_for_tag(address, path, coding, patience_ms);
    };
    // An entity tag is of the content: it is the same in every row.
    if (cases.empty()) cases = test::read_cases(LAB_HTTP_CASES, find_tag);
    ask_all(address, cases, words(flags));
    expect_drains(server);
  }
}

}  // namespace
}  // namespace lab
