// What the server's access log says against what was asked: each answer once, whatever becomes of
// the file, of who reads it and of the workers.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  EXPECT_TRUE(text.empty() || text.ends_with('\n')) << "half a line at the end";
  return lines;
}

std::vector<Json> objects_of(const std::string& text) {
  std::vector<Json> objects;
  for (const std::string& line : lines_of(text)) objects.push_back(JsonReader::read(line));
  return objects;
}

double lost(const Json& statistics) {
  double all = 0;
  for (const auto& [why, lines] : std::get<JsonObject>(statistics["http_log_lines_lost"].value))
    all += lines.number();
  return all;
}

class HttpAccessLog : public testing::Test {
 protected:
  HttpAccessLog() {
    site_.write("index.html", "hello");
    site_.write("dir/index.html", "in a folder");
    site_.write("kept.bin", noise(90'000));
    site_.write("streamed.bin", noise(streamed_));
  }

  ServerProcess::Setup logging(const std::string& file, std::vector<std::string> flags = {}) const {
    flags.insert(flags.end(), {"--access-log", file, "--memory-limit-file", "100000"});
    return http_server(site_.path(), std::move(flags));
  }
  std::string log() const { return logs_.path("access.log"); }

  static constexpr std::size_t streamed_ = 24 << 20;
  const Folder logs_;
  const Folder site_;
};

TEST_F(HttpAccessLog, SaysWhatWasAskedAndWhatBecameOfIt) {
  for (const bool tls : {false, true}) {
    std::vector<std::string> flags = {"--access-log-format", "json"};
    if (tls) flags.insert(flags.end(), {"--tls", "self-signed"});
    ServerProcess server(logging(log(), flags));
    const auto secret = tls ? std::optional(test::TlsClientOptions{}) : std::nullopt;
    HttpClient client(server.port(), 0, secret);
    client.get("/", "User-Agent: one \"\xc3\xa4\" \xff\r\nReferer: http://from/\r\n");
    client.ask("/", {}, "HEAD");
    client.answer(true);
    client.get("/none?a=b");
    client.get("/dir?a=b");
    client.get("/kept.bin", "Range: bytes=10-19\r\n");
    client.get("/kept.bin");
    client.get("/streamed.bin");
    client.send(
        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
        "\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\n\r\nGET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n");
    for (unsigned number = 0; number < 4; ++number) client.answer();
    EXPECT_TRUE(client.ended());
    expect_drains(server);

    struct Line {
      std::string_view method;
      std::string_view target;
      int status;
      double bytes;
    };
    const Line expected[] = {{"GET", "/", 200, 5},
                             {"HEAD", "/", 200, 0},
                             {"GET", "/none?a=b", 404, -1},
                             {"GET", "/dir?a=b", 301, -1},
                             {"GET", "/kept.bin", 206, 10},
                             {"GET", "/kept.bin", 200, 90'000},
                             {"GET", "/streamed.bin", 200, streamed_},
                             {"GET", "/1", 404, -1},
                             {"POST", "/2", 405, -1},
                             {"GET", "/3", 404, -1},
                             {"GET", "/\x01", 400, -1}};
    const std::vector<Json> found = objects_of(file_text(log()));
    ASSERT_EQ(found.size(), std::size(expected));
    for (std::size_t index = 0; index < found.size(); ++index) {
      const Json& line = found[index];
      EXPECT_EQ(line["method"].text(), expected[index].method) << index;
      EXPECT_EQ(line["target"].text(), expected[index].target) << index;
      EXPECT_EQ(line["status"].number(), expected[index].status) << index;
      if (expected[index].bytes >= 0) {
        EXPECT_EQ(line["bytes"].number(), expected[index].bytes) << index;
      }
      EXPECT_EQ(line["protocol"].text(), "HTTP/1.1") << index;
      EXPECT_EQ(line["client"].text(), "127.0.0.1") << index;
      EXPECT_FALSE(line["cut"].boolean()) << index;
    }
    EXPECT_EQ(found[0]["user_agent"].text(), "one \"\xc3\xa4\" \xef\xbf\xbd");
    EXPECT_EQ(found[0]["referer"].text(), "http://from/");
    ASSERT_EQ(unlink(log().c_str()), 0);
  }
}

TEST_F(HttpAccessLog, AnAnswerThatIsCutIsALineToo) {
  ServerProcess server(logging(log(), {"--access-log-format", "json"}));
  {
    HttpClient client(server.port(), 4096);
    client.ask("/streamed.bin");
    client.wait_for_bytes();
    client.reset();
  }
  ASSERT_TRUE(eventually([&] { return !file_text(log()).empty(); }));
  expect_drains(server);
  const std::vector<Json> found = objects_of(file_text(log()));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0]["cut"].boolean());
  EXPECT_EQ(found[0]["status"].number(), 200);
  EXPECT_GT(found[0]["bytes"].number(), 0);
  EXPECT_LT(found[0]["bytes"].number(), static_cast<double>(streamed_));
}

// Asks for /w-number until it is told to stop. @return how many answers came
unsigned ask_on(std::uint16_t port, unsigned who, const std::atomic<bool>& stop) {
  unsigned count = 0;
  HttpClient client(port);
  while (!stop) client.get(fmt::format("/{}-{}", who, count++));
  return count;
}

TEST_F(HttpAccessLog, RotationLosesNoLine) {
  ServerProcess server(logging(log(), {"--workers", "2", "--steer", "hash"}));
  const std::uint16_t port = server.port();
  std::atomic<bool> stop = false;
  std::array<unsigned, 6> asked{};
  std::vector<std::thread> clients;
  for (unsigned who = 0; who < asked.size(); ++who)
    clients.emplace_back([&, who] { asked[who] = ask_on(port, who, stop); });
  constexpr unsigned rotations = 5;
  for (unsigned number = 0; number < rotations; ++number) {
    // Something is in it.
    EXPECT_TRUE(eventually([&] { return file_text(log()).size() > 2000; })) << number;
    logs_.rename("access.log", fmt::format("access.log.{}", number));
    server.signal(SIGUSR1);
    EXPECT_TRUE(server.logs("access log opened anew: " + log())) << server.log();
  }
  EXPECT_TRUE(eventually([&] { return file_text(log()).size() > 2000; }));
  stop = true;
  for (std::thread& client : clients) client.join();
  expect_drains(server);

  std::map<std::string, unsigned> seen;
  std::string all = file_text(log());
  for (unsigned number = 0; number < rotations; ++number)
    all += file_text(logs_.path(fmt::format("access.log.{}", number)));
  for (const std::string& line : lines_of(all)) {
    const std::size_t target = line.find("\"GET /");
    ASSERT_NE(target, std::string::npos) << line;
    ++seen[line.substr(target + 6, line.find(' ', target + 6) - target - 6)];
  }
  std::size_t total = 0;
  for (unsigned who = 0; who < asked.size(); ++who) {
    total += asked[who];
    for (unsigned number = 0; number < asked[who]; ++number)
      ASSERT_EQ(seen[fmt::format("{}-{}", who, number)], 1U) << who << " " << number;
  }
  EXPECT_EQ(seen.size(), total);
}

TEST_F(HttpAccessLog, WhereItCannotBeOpenedAnewTheOldOneStays) {
  ServerProcess server(logging(log()));
  HttpClient client(server.port());
  client.get("/before");
  logs_.rename("access.log", "old");
  logs_.make_directory("access.log");
  server.signal(SIGUSR1);
  ASSERT_TRUE(server.logs("the access log stays as it was: ")) << server.log();
  EXPECT_NE(server.log().find("is a folder. Cure: "), std::string::npos) << server.log();
  client.get("/after");
  expect_drains(server);
  EXPECT_EQ(lines_of(file_text(logs_.path("old"))).size(), 2U);
}

TEST_F(HttpAccessLog, AWorkerThatIsStartedAgainWritesToTheNewFile) {
  ServerProcess server(logging(log()));
  const std::uint16_t port = server.port();
  HttpClient(port).get("/");
  ASSERT_TRUE(eventually([&] { return !file_text(log()).empty(); }));
  logs_.rename("access.log", "old");
  server.signal(SIGUSR1);
  ASSERT_TRUE(server.logs("opened anew"));
  ASSERT_EQ(kill(server.workers().front(), SIGKILL), 0);
  ASSERT_TRUE(server.logs("serves again"));
  HttpClient(port).get("/");
  expect_drains(server);
  EXPECT_EQ(lines_of(file_text(logs_.path("old"))).size(), 1U);
  EXPECT_EQ(lines_of(file_text(log())).size(), 1U);
}

// Answers that go on though nobody reads the log, and an end that does not wait for ever.
TEST_F(HttpAccessLog, AFifoThatNobodyReadsStopsNothing) {
  ASSERT_EQ(mkfifo(log().c_str(), 0600), 0);
  const StatsJson stats;
  ServerProcess server(
      logging(log(), {"--stats-json", stats.path(), "--stats-interval-ms", "100"}));
  HttpClient client(server.port());
  const std::string agent = fmt::format("User-Agent: {:x<300}\r\n", "");
  unsigned asked = 0;
  const auto ask_many = [&] {
    for (unsigned number = 0; number < 500; ++number) client.ask("/", agent);
    for (unsigned number = 0; number < 500; ++number) ASSERT_EQ(client.answer().status, 200);
    asked += 500;
  };
  while (!HasFailure() && asked < 20'000 &&
         (stats.lines().empty() || lost(stats.lines().back()) == 0))
    ask_many();
  ASSERT_TRUE(server.logs("lines of the access log are lost")) << server.log();
  for (unsigned round = 0; round < 5; ++round) ask_many();
  const Fd reader(open(log().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  expect_drains(server);
  std::string text;
  std::string part(1 << 20, '\0');
  for (ssize_t size = 0; (size = read(reader.get(), part.data(), part.size())) > 0;)
    text.append(part, 0, static_cast<std::size_t>(size));
  const std::size_t written = lines_of(text).size();
  EXPECT_GT(written, 0U);
  EXPECT_EQ(static_cast<double>(written) + lost(stats.lines().back()), asked);
  const std::string told = server.log();
  EXPECT_EQ(told.find("are lost"), told.rfind("are lost")) << "told once: " << told;
}

TEST_F(HttpAccessLog, AReaderWhoComesLateGetsAll) {
  ASSERT_EQ(mkfifo(log().c_str(), 0600), 0);
  ServerProcess server(logging(log()));
  HttpClient client(server.port());
  for (unsigned number = 0; number < 100; ++number) client.get("/");
  const Fd reader(open(log().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(reader);
  expect_drains(server);
  std::string text;
  std::string part(1 << 16, '\0');
  for (ssize_t size = 0; (size = read(reader.get(), part.data(), part.size())) > 0;)
    text.append(part, 0, static_cast<std::size_t>(size));
  EXPECT_EQ(lines_of(text).size(), 100U);
}

TEST_F(HttpAccessLog, AFullDiskIsTold) {
  const StatsJson stats;
  ServerProcess server(logging("/dev/full", {"--stats-json", stats.path()}));
  HttpClient client(server.port());
  for (unsigned number = 0; number < 10; ++number) EXPECT_EQ(client.get("/").status, 200);
  ASSERT_TRUE(server.logs("no space for '/dev/full'. Cure: ")) << server.log();
  expect_drains(server);
  EXPECT_EQ(stats.lines().back()["http_log_lines_lost"]["full"].number(), 10);
}

TEST_F(HttpAccessLog, OnStandardOutput) {
  ServerProcess server(logging("-", {"--access-log-format", "common"}));
  HttpClient client(server.port());
  for (unsigned number = 0; number < 300; ++number) client.get("/");
  expect_drains(server);
  EXPECT_NE(server.log().find("listening on "), std::string::npos) << server.log();
  const std::vector<std::string> lines = lines_of(server.output());
  ASSERT_EQ(lines.size(), 300U);
  for (const std::string& line : lines)
    EXPECT_TRUE(line.ends_with("\"GET / HTTP/1.1\" 200 5")) << line;
}

// As after "> file": the workers and who else writes there share a position.
TEST_F(HttpAccessLog, OnStandardOutputThatIsAFile) {
  const Fd file(open(log().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(write(file.get(), "before\n", 7), 7);
  ServerProcess::Setup setup = logging("-", {"--workers", "2", "--steer", "hash"});
  setup.before = [&] { dup2(file.get(), STDOUT_FILENO); };
  ServerProcess server(setup);
  const std::uint16_t port = server.port();
  for (unsigned number = 0; number < 100; ++number) HttpClient(port).get("/");
  expect_drains(server);
  const std::vector<std::string> lines = lines_of(file_text(log()));
  ASSERT_EQ(lines.size(), 101U);
  EXPECT_EQ(lines[0], "before");
  for (std::size_t index = 1; index < lines.size(); ++index)
    EXPECT_TRUE(lines[index].starts_with("127.0.0.1 - - [")) << lines[index];
}

TEST_F(HttpAccessLog, AProxyIsBelievedIfItIsTrusted) {
  for (const bool trusted : {false, true}) {
    std::vector<std::string> flags = {"--trusted-proxy", "192.0.2.0/24"};
    if (trusted) flags.insert(flags.end(), {"--trusted-proxy", "127.0.0.0/8"});
    ServerProcess server(logging(log(), flags));
    HttpClient client(server.port());
    client.get("/", "X-Forwarded-For: 6.6.6.6, 198.51.100.1, 192.0.2.9\r\n");
    expect_drains(server);
    const std::string expected = trusted ? "198.51.100.1 - - " : "127.0.0.1 - - ";
    EXPECT_TRUE(file_text(log()).starts_with(expected)) << file_text(log());
    ASSERT_EQ(unlink(log().c_str()), 0);
  }
}

TEST_F(HttpAccessLog, WhatIsWrongWithItIsSaid) {
  struct Refusal {
    std::vector<std::string> flags;
    int code;
    std::string words;
  };
  const Refusal refusals[] = {
      {{"--access-log", "/nowhere/access.log"}, 1, "is in no folder that there is. Cure: "},
      {{"--access-log", logs_.path()}, 1, "is a folder. Cure: "},
      {{"--access-log", "/dev/null/x"}, 1, "goes through something that is no folder. Cure: "},
      {{"--access-log", std::string(300, 'x')}, 1, "cannot be opened: File name too long. Cure: "},
      {{"--access-log", ""}, 2, "--access-log"},
      {{"--access-log", "-", "--stats-json", "-"}, 2, "--stats-json has. Cure: "},
      {{"--access-log-format", "json"}, 2, "--access-log-format: there is no access log. Cure: "},
      {{"--trusted-proxy", "10.0.0.0/8"}, 2, "--trusted-proxy: there is no access log. Cure: "},
      {{"--access-log", log(), "--trusted-proxy", "10.0.0.1/8"}, 2, "has bits behind its prefix"},
      {{"--access-log", log(), "--backend", "portable"}, 2, "--backend: "},
      {{"--access-log", log(), "--access-log-format", "xml"}, 2, "json"}};
  for (const Refusal& refusal : refusals) {
    ServerProcess server(http_server(site_.path(), refusal.flags));
    const std::optional<Exit> end = server.wait();
    ASSERT_TRUE(end) << refusal.words;
    EXPECT_EQ(end->code, refusal.code) << refusal.words;
    EXPECT_NE(server.log().find(refusal.words), std::string::npos) << server.log();
  }
}

}  // namespace
}  // namespace lab
