// What counts as a change of a site, and when it is built again.

#include <gtest/gtest.h>
#include <poll.h>

#include "06-server/lib/site/site_watch.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

// inotify's queue is filled by the call that changes something, before it returns.
class WatchTest : public SiteTest {
 protected:
  WatchTest() {
    folder_.write("site/index.html", "top");
    folder_.write("site/a/page.html", "a");
    options_.root = folder_.path("site");
  }
};

TEST_F(WatchTest, SeesWhatIsAddedChangedAndRemoved) {
  SiteWatch watch(options_.root);
  EXPECT_FALSE(watch.changed());
  folder_.write("site/index.html", "other");
  EXPECT_TRUE(watch.changed());
  EXPECT_FALSE(watch.changed()) << "once";
  folder_.write("site/a/new.html", "new");
  EXPECT_TRUE(watch.changed());
  folder_.remove("site/a/new.html");
  EXPECT_TRUE(watch.changed());
  folder_.rename("site/a/page.html", "site/a/other.html");
  EXPECT_TRUE(watch.changed());
  folder_.make_directory("site/b");
  EXPECT_TRUE(watch.changed());
  folder_.set_time("site/index.html", 5000);
  EXPECT_TRUE(watch.changed());
}

TEST_F(WatchTest, ItsDescriptorIsReadableThen) {
  SiteWatch watch(options_.root);
  pollfd entry{.fd = watch.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, 0), 0);
  folder_.write("site/index.html", "other");
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_TRUE(watch.changed());
  EXPECT_EQ(poll(&entry, 1, 0), 0);
}

TEST_F(WatchTest, HiddenFilesDoNotCount) {
  SiteWatch watch(options_.root);
  folder_.write("site/.index.html.swp", "swap");
  EXPECT_FALSE(watch.changed());
  folder_.write("site/.well-known/x", "x");
  EXPECT_TRUE(watch.changed());
}

TEST_F(WatchTest, HiddenFilesCountWhereASymlinkLeadsThroughThem) {
  folder_.write("site/..1/index.html", "one");
  folder_.write("site/..2/index.html", "two");
  folder_.link("site/..data", "..1");
  folder_.remove("site/index.html");
  folder_.link("site/index.html", "..data/index.html");
  SiteWatch watch(options_.root);
  folder_.write("site/..1/index.html", "changed");
  EXPECT_TRUE(watch.changed());
  folder_.link("site/..next", "..2");
  folder_.rename("site/..next", "site/..data");
  EXPECT_TRUE(watch.changed());
}

// Field report 26.
TEST_F(WatchTest, SeesThatTheRootIsSwapped) {
  folder_.write("next/index.html", "next");
  folder_.link("current", "site");
  SiteWatch watch(folder_.path("current/"));
  folder_.write("neighbour", "x");
  EXPECT_FALSE(watch.changed());
  folder_.link("swap", "next");
  EXPECT_FALSE(watch.changed());
  folder_.rename("swap", "current");
  EXPECT_TRUE(watch.changed());
  folder_.write("site/index.html", "the old one still counts: this watch is of it");
  EXPECT_TRUE(watch.changed());
}

TEST_F(WatchTest, ABuildIsNoChange) {
  SiteWatch watch(options_.root);
  load();
  EXPECT_EQ(content("/a/page.html"), "a");
  EXPECT_FALSE(watch.changed()) << "or each build would be the reason for the next";
}

TEST_F(WatchTest, AMissingFolderIsRefused) { EXPECT_ANY_THROW(SiteWatch(folder_.path("nowhere"))); }

TEST(ReloadPause, WaitsUntilItIsQuiet) {
  ReloadPause pause;
  EXPECT_FALSE(pause.due(1'000'000));
  pause.on_change(1000);
  EXPECT_FALSE(pause.due(1199));
  EXPECT_TRUE(pause.due(1200));
  pause.on_change(1150);
  EXPECT_FALSE(pause.due(1200));
  EXPECT_TRUE(pause.due(1350));
  pause.on_build();
  EXPECT_FALSE(pause.due(1'000'000));
}

TEST(ReloadPause, WaitsNotForEver) {
  ReloadPause pause;
  std::uint64_t now = 5000;
  for (; now < 6999; now += 100) {
    pause.on_change(now);
    EXPECT_FALSE(pause.due(now));
  }
  pause.on_change(7000);
  EXPECT_TRUE(pause.due(7000));
}

}  // namespace
}  // namespace lab
