// What counts as a change of a site.

#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>

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

TEST_F(WatchTest, RenewedItSeesFoldersThatAreNewAndForgetsOthers) {
  SiteWatch watch(options_.root);
  folder_.write("site/new/page.html", "new");
  EXPECT_TRUE(watch.changed());
  watch.renew();
  EXPECT_FALSE(watch.changed());
  folder_.write("site/new/page.html", "changed");
  EXPECT_TRUE(watch.changed());
  folder_.rename("site/new", "moved");
  EXPECT_TRUE(watch.changed());
  watch.renew();
  EXPECT_FALSE(watch.changed());
  folder_.write("moved/page.html", "not of the site");
  EXPECT_FALSE(watch.changed());
}

TEST_F(WatchTest, AfterASwapTheOldRootDoesNotCount) {
  folder_.write("next/index.html", "next");
  folder_.link("current", "site");
  SiteWatch watch(folder_.path("current"));
  folder_.link("swap", "next");
  folder_.rename("swap", "current");
  EXPECT_TRUE(watch.changed());
  watch.renew();
  folder_.write("site/index.html", "the old one");
  EXPECT_FALSE(watch.changed());
  folder_.write("next/index.html", "the new one");
  EXPECT_TRUE(watch.changed());
}

TEST_F(WatchTest, ARootThatGoesMayComeBack) {
  SiteWatch watch(options_.root);
  folder_.rename("site", "away");
  EXPECT_TRUE(watch.changed());
  EXPECT_THROW(watch.renew(), SiteError);
  EXPECT_FALSE(watch.changed());
  folder_.rename("away", "site");
  EXPECT_TRUE(watch.changed());
  watch.renew();
  folder_.write("site/index.html", "back");
  EXPECT_TRUE(watch.changed());
}

TEST_F(WatchTest, ARootWhoseNameIsInItself) {
  folder_.link("site/self", ".");
  SiteWatch watch(folder_.path("site/self"));
  folder_.write("site/other.html", "x");
  EXPECT_TRUE(watch.changed());
}

// What the kernel says when its queue is full stands for everything.
TEST_F(WatchTest, LostEventsAreAChange) {
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  unsigned events_max = 0;
  limit >> events_max;
  if (events_max == 0 || events_max > 100'000) GTEST_SKIP() << "it would take " << events_max;
  SiteWatch watch(options_.root);
  // Two names in turn, or the kernel would put the same events together; hidden, so they do not
  // count themselves.
  folder_.write("site/.a", "");
  folder_.write("site/.b", "");
  ASSERT_FALSE(watch.changed());
  for (unsigned event = 0; event <= events_max; event += 2) {
    folder_.set_time("site/.a", 5000);
    folder_.set_time("site/.b", 5000);
  }
  EXPECT_TRUE(watch.changed());
}

TEST_F(WatchTest, ABuildIsNoChange) {
  SiteWatch watch(options_.root);
  load();
  EXPECT_EQ(content("/a/page.html"), "a");
  EXPECT_FALSE(watch.changed()) << "or each build would be the reason for the next";
}

TEST_F(WatchTest, AMissingFolderIsRefused) { EXPECT_ANY_THROW(SiteWatch(folder_.path("nowhere"))); }

}  // namespace
}  // namespace lab
