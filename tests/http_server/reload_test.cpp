// The folder is read anew on SIGHUP: what changes is served, and no answer is of two generations.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

// Until the supervisor has the new site; its workers get it a moment later.
void reload(ServerProcess& server) {
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("reading anew"));
  ASSERT_TRUE(server.logs(" files of ")) << server.log();
}

void reload_in_vain(ServerProcess& server, const std::string& reason) {
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("the site stays as it was: " + reason)) << server.log();
}

bool serves(HttpClient& client, const std::string& path, const std::string& body) {
  return eventually([&] { return client.get(path).body == body; });
}

// Under its own name only when it is whole.
void replace(const Folder& folder, const std::string& name, std::string_view content) {
  folder.write(".new", content);
  folder.rename(".new", name);
}

std::size_t count_of(const std::string& folder) {
  const auto entries = std::filesystem::directory_iterator(folder);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// What a process has open, and what it has mapped.
std::size_t descriptors_of(pid_t process) { return count_of(fmt::format("/proc/{}/fd", process)); }
std::size_t mappings_of(pid_t process) {
  const std::string maps = file_text(fmt::format("/proc/{}/maps", process));
  return static_cast<std::size_t>(std::count(maps.begin(), maps.end(), '\n'));
}

// A parcel can be read once, so each gets its own; and the memory is there once, with descriptors
// of it for each.
TEST(HttpReload, EachReactorGetsTheNewSite) {
  const Folder folder;
  folder.write("index.html", "0");
  ServerProcess server(http_server(folder.path(), {"--topology", "reactors", "--workers", "2"}));
  HttpClient first(server.port());
  HttpClient second(server.port());
  for (unsigned time = 1; time <= 3; ++time) {
    replace(folder, "index.html", std::to_string(time));
    reload(server);
    EXPECT_TRUE(serves(first, "/", std::to_string(time)));
    EXPECT_TRUE(serves(second, "/", std::to_string(time)));
  }
  expect_drains(server);
}

TEST(HttpReload, WhatIsAddedChangedAndDeletedIsSeenOnAnOpenConnection) {
  const Folder folder;
  folder.write("index.html", "old");
  folder.write("gone.txt", "gone");
  ServerProcess server(http_server(folder.path()));
  HttpClient client(server.port());
  const test::HttpAnswer before = client.get("/");
  EXPECT_EQ(before.body, "old");
  EXPECT_EQ(client.get("/gone.txt").body, "gone");
  EXPECT_EQ(client.get("/added.txt").status, 404);

  replace(folder, "index.html", "changed");
  folder.write("added.txt", "added");
  folder.remove("gone.txt");
  EXPECT_EQ(client.get("/").body, "old") << "nobody asked for a new one";
  reload(server);
  EXPECT_TRUE(serves(client, "/", "changed"));
  EXPECT_EQ(client.get("/added.txt").body, "added");
  EXPECT_EQ(client.get("/gone.txt").status, 404);
  const std::string tag = "If-None-Match: " + *before.field("ETag") + "\r\n";
  EXPECT_EQ(client.get("/", tag).status, 200) << "an old tag is no match";
  expect_drains(server);
}

TEST(HttpReload, ARootThatIsASymlinkMayBeSwapped) {
  const Folder folder;
  folder.write("one/index.html", "one");
  folder.write("two/index.html", "two");
  folder.link("current", "one");
  ServerProcess server(http_server(folder.path("current")));
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/").body, "one");
  folder.link("next", "two");
  folder.rename("next", "current");
  reload(server);
  EXPECT_TRUE(serves(client, "/", "two"));
  expect_drains(server);
}

TEST(HttpReload, ABrokenFolderLeavesTheOldSiteAndSaysWhy) {
  const Folder folder;
  folder.write("site/index.html", "good");
  ServerProcess server(http_server(folder.path("site")));
  HttpClient client(server.port());
  folder.rename("site/index.html", "site/.hidden");
  reload_in_vain(server, fmt::format("the folder '{}' has no file to serve", folder.path("site")));
  EXPECT_EQ(client.get("/").body, "good");
  folder.rename("site", "moved");
  reload_in_vain(server, fmt::format("there is no folder '{}'", folder.path("site")));
  EXPECT_EQ(client.get("/").body, "good");
  folder.rename("moved", "site");
  replace(folder, "site/index.html", "mended");
  reload(server);
  EXPECT_TRUE(serves(client, "/", "mended"));
  expect_drains(server);
}

TEST(HttpReload, AWorkerThatStartsLaterServesTheNewSite) {
  const Folder folder;
  folder.write("index.html", "old");
  folder.write("streamed.bin", std::string(5000, 'o'));
  ServerProcess server(http_server(folder.path(), {"--memory-limit-file", "1000"}));
  server.port();
  replace(folder, "index.html", "new");
  replace(folder, "streamed.bin", std::string(6000, 'n'));
  reload(server);
  ASSERT_EQ(kill(server.workers().front(), SIGKILL), 0);
  ASSERT_TRUE(server.logs("serves again"));
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/").body, "new");
  EXPECT_EQ(client.get("/streamed.bin").body, std::string(6000, 'n'));
  expect_drains(server);
}

unsigned count_in(const std::string& text, std::string_view part) {
  unsigned count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(HttpReload, ASignalDuringTheFirstBuildIsObeyedAfterIt) {
  const Folder folder;
  folder.write("index.html", "old");
  folder.write("slow.txt", prose(150'000));
  ServerProcess server(http_server(folder.path(), {"--compress", "best"}));
  // It builds: its memory is there, and no worker yet.
  ASSERT_TRUE(eventually([&] {
    const std::string maps = file_text(fmt::format("/proc/{}/maps", server.pid()));
    return maps.find("memfd:") != std::string::npos;
  }));
  server.signal(SIGHUP);
  replace(folder, "index.html", "new");
  ASSERT_TRUE(server.logs("reading anew")) << server.log();
  ASSERT_TRUE(server.logs(" files of ")) << server.log();
  HttpClient client(server.port());
  EXPECT_TRUE(serves(client, "/", "new"));
  expect_drains(server);
}

// Begins to build, and stops the process that does. -1: it was quicker.
pid_t stop_a_build(ServerProcess& server, const std::vector<pid_t>& workers) {
  server.signal(SIGHUP);
  EXPECT_TRUE(server.logs("reading anew"));
  for (const pid_t child : server.workers()) {
    if (child == workers.front() || kill(child, SIGSTOP) != 0) continue;
    const std::string stat = fmt::format("/proc/{}/stat", child);
    const auto state_is = [&](const char* state) {
      return file_text(stat).find(state) != std::string::npos;
    };
    EXPECT_TRUE(eventually(
        [&] { return state_is(") T ") || state_is(") Z ") || file_text(stat).empty(); }));
    if (state_is(") T ")) return child;
  }
  EXPECT_TRUE(server.logs(" files of ")) << server.log();
  return -1;
}

TEST(HttpReload, SignalsDuringAnotherBuildAreOneMoreAfterIt) {
  const Folder folder;
  folder.write("index.html", "old");
  ServerProcess server(http_server(folder.path(), {"--compress", "best"}));
  HttpClient client(server.port());
  const std::vector<pid_t> workers = server.workers();
  pid_t builder = -1;
  for (unsigned round = 0; builder == -1 && !HasFailure(); ++round) {
    replace(folder, "slow.txt", prose(150'000 + round));
    builder = stop_a_build(server, workers);
  }
  const unsigned before = count_in(server.log(), "reading anew");
  for (unsigned number = 0; number < 5; ++number) {
    server.signal(SIGHUP);
    server.signal(SIGUSR1);
    ASSERT_TRUE(server.logs("connection")) << "it has taken both";
  }
  EXPECT_EQ(count_in(server.log(), "reading anew"), before) << "two build at once";
  EXPECT_EQ(server.workers().size(), 2U) << "two build at once";
  replace(folder, "index.html", "the last");
  ASSERT_EQ(kill(builder, SIGCONT), 0);
  ASSERT_TRUE(server.logs(" files of ")) << server.log();
  ASSERT_TRUE(server.logs(" files of ")) << server.log();
  EXPECT_TRUE(serves(client, "/", "the last"));
  EXPECT_EQ(count_in(server.log(), "reading anew"), before + 1) << server.log();
  expect_drains(server);
}

TEST(HttpReload, ASignalWhileItDrainsIsNoSecondOne) {
  const Folder folder;
  const std::string large = noise(32 << 20);
  folder.write("large.bin", large);
  ServerProcess server(http_server(folder.path(), {"--drain-deadline-ms", "60000"}));
  HttpClient client(server.port(), 64 << 10);
  client.ask("/large.bin");
  client.wait_for_bytes();
  server.signal(SIGTERM);
  ASSERT_TRUE(server.logs("draining"));
  server.signal(SIGHUP);
  server.signal(SIGUSR1);
  ASSERT_TRUE(server.logs("connection")) << "it has taken both signals";
  EXPECT_TRUE(client.answer().body == large);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
}

// What TLS is around the protocol of a worker hides neither the parcel nor its tick from it.
TEST(HttpReload, OverTlsItIsTheSame) {
  const Folder folder;
  folder.write("index.html", "0");
  ServerProcess server(http_server(folder.path(), {"--tls", "self-signed"}));
  HttpClient client(server.port(), 0, test::TlsClientOptions{});
  EXPECT_EQ(client.get("/").body, "0");
  const pid_t worker = server.workers().front();
  const std::size_t base = mappings_of(worker);
  for (const char* text : {"1", "2", "3"}) {
    replace(folder, "index.html", text);
    reload(server);
    EXPECT_TRUE(serves(client, "/", text));
  }
  EXPECT_TRUE(eventually([&] { return mappings_of(worker) <= base; }))
      << "old generations stay: " << mappings_of(worker) << " mappings, " << base << " before";
  server.signal(SIGTERM);
  EXPECT_TRUE(client.ended()) << "no close_notify";
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
}

// One signal, two things that are read: each is taken or stays by itself.
TEST(HttpReload, CertificatesAreReadWithTheFolder) {
  const Folder folder;
  folder.write("index.html", "old");
  test::TlsFiles files;
  const auto pair = files.make({"old.test"}), next = files.make({"new.test"});
  ServerProcess server(
      http_server(folder.path(), {"--tls-cert", pair.certificate, "--tls-key", pair.key}));
  HttpClient client(server.port(), 0, test::TlsClientOptions{});
  EXPECT_EQ(client.get("/").body, "old");
  replace(folder, "index.html", "new");
  std::filesystem::rename(next.certificate, pair.certificate);
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("the certificate stays as it was: the key ")) << server.log();
  ASSERT_TRUE(server.logs(" files of ")) << server.log();
  EXPECT_TRUE(serves(client, "/", "new"));

  std::filesystem::rename(next.key, pair.key);
  folder.remove("index.html");
  server.signal(SIGHUP);
  for (const char* text : {"certificate with SHA-256 fingerprint ", "the site stays as it was: "})
    EXPECT_TRUE(eventually([&] { return server.log().find(text) != std::string::npos; })) << text;
  EXPECT_TRUE(eventually([&] {
    return HttpClient(server.port(), 0, test::TlsClientOptions{}).tls().server_name() == "new.test";
  }));
  EXPECT_EQ(client.get("/").body, "new");
  expect_drains(server);
}

// Each line of a file says which generation it is of.
std::string generation_text(unsigned generation, std::size_t lines) {
  std::string text;
  for (std::size_t line = 0; line < lines; ++line)
    text += fmt::format("generation {:5} line {:7}\n", generation, line);
  return text;
}

// What asks while the site changes, and judges what comes.
class Load {
 public:
  Load(std::uint16_t port, unsigned threads, std::map<std::string, std::size_t> lines)
      : lines_(std::move(lines)) {
    for (unsigned number = 0; number < threads; ++number)
      threads_.emplace_back([this, port] { run(port); });
  }
  ~Load() { end(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void end() {
    ended_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::atomic<unsigned> written{0};  ///< the newest generation that may be seen
  std::atomic<unsigned> answers{0};

 private:
  void run(std::uint16_t port) {
    try {
      HttpClient client(port);
      unsigned last = 0;
      while (!ended_ && !testing::Test::HasFailure()) {
        for (const auto& [path, lines] : lines_) {
          const test::HttpAnswer answer = client.get(path);
          unsigned generation = 0;
          std::sscanf(answer.body.c_str(), "generation %u", &generation);
          EXPECT_EQ(answer.status, 200);
          EXPECT_TRUE(answer.body == generation_text(generation, lines)) << path;
          EXPECT_GE(generation, last) << "an older one after a newer one";
          EXPECT_LE(generation, written.load());
          last = generation;
          ++answers;
        }
      }
    } catch (const Failure& failure) {
      ADD_FAILURE() << failure.what();
    }
  }

  const std::map<std::string, std::size_t> lines_;
  std::atomic<bool> ended_{false};
  std::vector<std::thread> threads_;
};

TEST(HttpReload, ManyOfThemUnderLoadMixNothingAndLeaveNothing) {
  constexpr unsigned reloads = sanitized ? 40 : 200;
  const Folder folder;
  // One is copied behind its head, one sent from memory, one streamed.
  const std::map<std::string, std::size_t> files = {
      {"/copied.bin", 50}, {"/kept.bin", 3000}, {"/streamed.bin", 9000}};
  const auto write = [&](unsigned generation) {
    for (const auto& [path, lines] : files)
      replace(folder, path.substr(1), generation_text(generation, lines));
  };
  write(0);
  ServerProcess server(
      http_server(folder.path(), {"--memory-limit-file", "150000", "--stats-interval-ms", "0"}));
  HttpClient client(server.port());
  ASSERT_EQ(server.workers().size(), 1U);
  const pid_t worker = server.workers().front();
  const std::size_t base[] = {descriptors_of(server.pid()), descriptors_of(worker),
                              mappings_of(server.pid()), mappings_of(worker)};
  Load load(server.port(), 2, files);
  for (unsigned generation = 1; generation <= reloads && !HasFailure(); ++generation) {
    load.written = generation;
    write(generation);
    reload(server);
  }
  EXPECT_TRUE(serves(client, "/kept.bin", generation_text(reloads, files.at("/kept.bin"))));
  load.end();
  EXPECT_GT(load.answers.load(), 0U);
  EXPECT_EQ(server.workers(), std::vector<pid_t>{worker}) << "a worker was replaced";
  // What an answer read is given up at a tick; the other connections take their buffers with them.
  EXPECT_TRUE(eventually([&] { return descriptors_of(worker) <= base[1]; }))
      << descriptors_of(worker) << " instead of " << base[1];
  EXPECT_LE(descriptors_of(server.pid()), base[0]);
  // A heap, or a sanitizer's, may have grown by a mapping or two, not by one for each site.
  EXPECT_TRUE(eventually([&] { return mappings_of(worker) <= base[3] + 4; }))
      << mappings_of(worker) << " instead of " << base[3];
  EXPECT_LE(mappings_of(server.pid()), base[2] + 4);
  expect_drains(server);
}

}  // namespace
}  // namespace lab
