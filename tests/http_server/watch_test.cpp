// --watch: what changes in the folder is served, without a signal and without losing a connection.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <csignal>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

bool serves(HttpClient& client, const std::string& path, const std::string& body) {
  return eventually([&] { return client.get(path).body == body; });
}

bool misses(HttpClient& client, const std::string& path) {
  return eventually([&] { return client.get(path).status == 404; });
}

unsigned reloads_of(ServerProcess& server) {
  unsigned count = 0;
  for (std::size_t at = server.log().find("reading anew"); at != std::string::npos;
       at = server.log().find("reading anew", at + 1))
    ++count;
  return count;
}

class HttpWatch : public testing::Test {
 protected:
  HttpWatch() { folder_.write("site/index.html", "old"); }

  ServerProcess::Setup watching(const std::string& root = "site") const {
    return http_server(folder_.path(root), {"--watch"});
  }

  const Folder folder_;
};

TEST_F(HttpWatch, WhatIsAddedChangedRenamedAndDeletedIsSeenOnAnOpenConnection) {
  folder_.write("site/gone.txt", "gone");
  folder_.write("site/a/before.txt", "renamed");
  ServerProcess server(watching());
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/").body, "old");
  folder_.write("site/index.html", "changed");
  EXPECT_TRUE(serves(client, "/", "changed"));
  folder_.write("site/added.txt", "added");
  EXPECT_TRUE(serves(client, "/added.txt", "added"));
  folder_.rename("site/a/before.txt", "site/a/after.txt");
  EXPECT_TRUE(serves(client, "/a/after.txt", "renamed"));
  EXPECT_EQ(client.get("/a/before.txt").status, 404);
  folder_.remove("site/gone.txt");
  EXPECT_TRUE(misses(client, "/gone.txt"));
  expect_drains(server);
}

TEST_F(HttpWatch, FoldersThatAreNewAreWatched) {
  ServerProcess server(watching());
  HttpClient client(server.port());
  folder_.write("site/new/below/page.html", "new");
  EXPECT_TRUE(serves(client, "/new/below/page.html", "new"));
  folder_.write("site/new/below/page.html", "changed");
  EXPECT_TRUE(serves(client, "/new/below/page.html", "changed"));
  expect_drains(server);
}

TEST_F(HttpWatch, ARootThatIsASymlinkMayBeSwapped) {
  folder_.write("two/index.html", "two");
  folder_.link("current", "site");
  ServerProcess server(watching("current"));
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/").body, "old");
  folder_.link("next", "two");
  folder_.rename("next", "current");
  EXPECT_TRUE(serves(client, "/", "two"));
  folder_.write("two/index.html", "two, changed");
  EXPECT_TRUE(serves(client, "/", "two, changed"));
  expect_drains(server);
}

TEST_F(HttpWatch, ABrokenFolderLeavesTheOldSiteUntilItIsMended) {
  ServerProcess server(watching());
  HttpClient client(server.port());
  folder_.rename("site", "away");
  ASSERT_TRUE(server.logs("the site stays as it was: there is no folder")) << server.log();
  EXPECT_EQ(client.get("/").body, "old");
  folder_.write("away/index.html", "mended");
  folder_.rename("away", "site");
  EXPECT_TRUE(serves(client, "/", "mended"));
  expect_drains(server);
}

// The supervisor stands still meanwhile, so it finds all changes at once however slow the machine.
TEST_F(HttpWatch, ManyChangesAreOneReload) {
  ServerProcess server(watching());
  HttpClient client(server.port());
  ServerProcess::stop(server.pid());
  for (unsigned number = 0; number < 300; ++number)
    folder_.write(fmt::format("site/{}/page.html", number % 50), fmt::format("{}", number));
  folder_.write("site/index.html", "new");
  EXPECT_EQ(client.get("/").body, "old") << "who serves does not wait for who reads";
  server.signal(SIGCONT);
  EXPECT_TRUE(serves(client, "/", "new"));
  EXPECT_EQ(client.get("/49/page.html").body, "299");
  folder_.write("site/49/page.html", "the second");
  EXPECT_TRUE(serves(client, "/49/page.html", "the second"));
  EXPECT_EQ(reloads_of(server), 2U) << server.log();
  expect_drains(server);
}

TEST_F(HttpWatch, WhereTheKernelLosesEventsAllIsReadAnew) {
  const std::string limit = file_text("/proc/sys/fs/inotify/max_queued_events");
  const unsigned events_max = static_cast<unsigned>(std::atoi(limit.c_str()));
  if (events_max == 0 || events_max > 100'000) GTEST_SKIP() << "it would take " << events_max;
  folder_.write("site/.a", "");
  folder_.write("site/.b", "");
  ServerProcess server(watching());
  HttpClient client(server.port());
  ServerProcess::stop(server.pid());
  // Two in turn, or the kernel would put the same events together; hidden ones count nothing.
  for (unsigned event = 0; event <= events_max; event += 2) {
    folder_.set_time("site/.a", 5000);
    folder_.set_time("site/.b", 5000);
  }
  folder_.write("site/index.html", "nobody was told");
  server.signal(SIGCONT);
  EXPECT_TRUE(serves(client, "/", "nobody was told"));
  expect_drains(server);
}

// In a user namespace of its own, whose limit is lower than that of all others. Async-signal-safe.
void allow_few_watches() {
  if (unshare(CLONE_NEWUSER) != 0) _exit(77);
  const int fd = open("/proc/sys/user/max_inotify_watches", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "6", 1) != 1) _exit(77);
  close(fd);
}

ServerProcess::Setup with_few_watches(ServerProcess::Setup setup) {
  setup.before = &allow_few_watches;
  return setup;
}

TEST_F(HttpWatch, ALimitThatIsReachedIsToldWithItsCure) {
  for (unsigned number = 0; number < 10; ++number)
    folder_.write(fmt::format("site/{}/index.html", number), "x");
  ServerProcess server(with_few_watches(watching()));
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end) << "it serves";
  if (end->code == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(end->code, 1);
  EXPECT_NE(server.log().find("http-server: --watch: the site has more folders than this user may "
                              "watch. Cure: raise sysctl fs.inotify.max_user_watches"),
            std::string::npos)
      << server.log();
}

TEST_F(HttpWatch, ALimitThatIsReachedLaterIsToldAndTheRestIsServed) {
  ServerProcess server(with_few_watches(watching()));
  std::uint16_t port = 0;
  try {
    port = server.port();
  } catch (const Failure&) {
    GTEST_SKIP() << "no user namespaces here, or no memory to lock in one: " << server.log();
  }
  HttpClient client(port);
  for (unsigned number = 0; number < 10; ++number)
    folder_.write(fmt::format("site/{}/index.html", number), "x");
  ASSERT_TRUE(server.logs("--watch: the site has more folders than this user may watch. Cure: "))
      << server.log();
  EXPECT_TRUE(serves(client, "/9/", "x"));
  folder_.write("site/index.html", "still watched");
  EXPECT_TRUE(serves(client, "/", "still watched"));
  expect_drains(server);
}

}  // namespace
}  // namespace lab
