// Good requests among bad ones: each good one gets its bytes, and whatever the others took comes
// back.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

constexpr unsigned good_rounds = sanitized ? 40 : 150;
constexpr unsigned good_clients = 3;

/// What the server must not grow: what it has mapped to write, and its descriptors.
struct Holdings {
  std::string memory;
  std::size_t descriptors;

  static Holdings of(pid_t process) {
    const std::string status = file_text(fmt::format("/proc/{}/status", process));
    const std::size_t at = status.find("VmData:");
    const auto open = std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", process));
    return {status.substr(at, status.find('\n', at) - at),
            static_cast<std::size_t>(std::distance(begin(open), end(open)))};
  }
};

class HttpNoise : public testing::Test {
 protected:
  HttpNoise() {
    for (const auto& [path, body] : files_) folder_.write(path.substr(1), body);
  }

  void ask_for_all(HttpClient& client) {
    for (const auto& [path, body] : files_) {
      const test::HttpAnswer whole = client.get(path);
      EXPECT_EQ(whole.status, 200) << path;
      EXPECT_TRUE(whole.body == body) << path;
      const test::HttpAnswer part = client.get(path, "Range: bytes=1000-1999\r\n");
      EXPECT_EQ(part.status, 206) << path;
      EXPECT_TRUE(part.body == body.substr(1000, 1000)) << path;
    }
    EXPECT_EQ(client.get("/none").status, 404);
  }

  /// One bad client of each kind, one after the other, until the good ones are done.
  void make_noise(std::uint16_t port, std::size_t first) {
    const std::function<void(HttpClient&)> kinds[] = {
        [](HttpClient& client) { client.send(noise(200)); },
        [](HttpClient& client) { client.send("GET / HTTP/1.1\r\nHost h\r\n\r\n"); },
        [](HttpClient& client) { client.send("GET /copied HTTP/1.1\r\nHo"); },
        [](HttpClient& client) {
          for (const char byte : std::string_view("GET /copied HTTP/1.1\r\nHost: h\r\n\r\n"))
            client.send({&byte, 1});
        },
        [](HttpClient& client) {
          client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf");
        },
        [](HttpClient& client) { client.ask("/streamed"); },
        [](HttpClient& client) {
          client.ask("/kept");
          client.wait_for_bytes();
        },
        [](HttpClient& client) {
          for (unsigned number = 0; number < 50; ++number) client.ask("/copied");
        },
    };
    for (std::size_t turn = first; !good_are_done_; ++turn) {
      try {
        auto client = std::make_unique<HttpClient>(port, 4096);
        kinds[turn % std::size(kinds)](*client);
        if (turn % 3 == 0) client->reset();
        // Some stay for a while: the next ones come beside them.
        if (turn % 2 == 0) slow_[turn / 2 % std::size(slow_)] = std::move(client);
      } catch (const Failure&) {  // it was shown the door
      }
      ++bad_clients_;
    }
  }

  void run(std::uint16_t port) {
    good_are_done_ = false;
    std::vector<std::thread> good;
    for (unsigned number = 0; number < good_clients; ++number) {
      good.emplace_back([this, port] {
        try {
          std::optional<HttpClient> client;
          for (unsigned round = 0; round < good_rounds; ++round) {
            if (round % 20 == 0) client.emplace(port);
            ask_for_all(*client);
          }
        } catch (const Failure& failure) {
          ADD_FAILURE() << "a good client: " << failure.what();
        }
      });
    }
    std::thread bad([this, port] { make_noise(port, 0); });
    for (std::thread& thread : good) thread.join();
    good_are_done_ = true;
    bad.join();
    for (auto& client : slow_) client.reset();
  }

  const std::map<std::string, std::string> files_ = {
      {"/copied", noise(3000)}, {"/kept", noise(60'000)}, {"/streamed", noise(200'000)}};
  const Folder folder_;
  std::unique_ptr<HttpClient> slow_[8];
  std::atomic<bool> good_are_done_{false};
  unsigned bad_clients_ = 0;
};

// Fewer buffers than there are bad clients: if one of them kept its own, the good ones would
// starve.
TEST_F(HttpNoise, AmongWhichGoodClientsGetTheirBytes) {
  const StatsJson stats;
  ServerProcess server(http_server(
      folder_.path(), {"--memory-limit-file", "100000", "--buffer-count", "64", "--stats-json",
                       stats.path(), "--stats-interval-ms", "100", "--request-timeout", "1000"}));
  const std::uint16_t port = server.port();
  const pid_t worker = server.workers().front();
  const auto all_left = [&] {
    return stats.shows([](const Json& line) {
      return line["accepted"].number() > 0 && line["connections"].number() == 0;
    });
  };
  run(port);
  EXPECT_TRUE(all_left());
  const Holdings base = Holdings::of(worker);
  const unsigned before = bad_clients_;
  run(port);
  EXPECT_TRUE(all_left());
  EXPECT_GT(bad_clients_ - before, 64U) << "too few to be noise";
  const Holdings after = Holdings::of(worker);
  EXPECT_EQ(after.memory, base.memory);
  EXPECT_EQ(after.descriptors, base.descriptors);
  EXPECT_EQ(server.workers(), std::vector<pid_t>{worker}) << "a worker was replaced";
  const Json last = stats.lines().back();
  for (const char* none : {"shed", "accept_errors", "ring_errors", "cq_overflows"})
    EXPECT_EQ(last[none].number(), 0) << none;
  expect_drains(server);
}

}  // namespace
}  // namespace lab
