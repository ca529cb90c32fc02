// Which files of a folder are served: decided when it is loaded.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "01-core/lib/check.hpp"
#include "06-server/lib/site/site_walk.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

// Root reads everything: the rights of an ordinary user for a while.
class AsNobody {
 public:
  AsNobody() {
    if (geteuid() == 0) check_errno(seteuid(65534), "seteuid");
  }
  ~AsNobody() {
    if (getuid() == 0) static_cast<void>(!seteuid(0));
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
};

using Walk = SiteTest;

TEST_F(Walk, FilesAreFoundAtAnyDepth) {
  folder_.write("index.html", "top");
  folder_.write("a/b/c/d.txt", "deep");
  load();
  EXPECT_EQ(content("/index.html"), "top");
  EXPECT_EQ(content("/a/b/c/d.txt"), "deep");
  EXPECT_EQ(content("/a/b/c/e.txt"), "(missing)");
  EXPECT_EQ(content("/a/b/c"), "(missing)");
}

// Field report 25.
TEST_F(Walk, DotFilesAreNobodysButWellKnown) {
  folder_.write("index.html", "top");
  folder_.write(".env", "secret");
  folder_.write(".git/config", "secret");
  folder_.write("a/.hidden/x", "secret");
  folder_.write(".well-known/acme-challenge/token", "proof");
  folder_.write(".well-known/.secret", "secret");
  folder_.write("..data", "secret");
  load();
  EXPECT_EQ(content("/.env"), "(missing)");
  EXPECT_EQ(content("/.git/config"), "(missing)");
  EXPECT_EQ(content("/a/.hidden/x"), "(missing)");
  EXPECT_EQ(content("/.well-known/.secret"), "(missing)");
  EXPECT_EQ(content("/..data"), "(missing)");
  EXPECT_EQ(content("/.well-known/acme-challenge/token"), "proof");
  EXPECT_EQ(site_->files_count(), 2U);
}

// Field report 24.
TEST_F(Walk, SymlinksInsideTheFolderAreFollowed) {
  folder_.write("real/page.html", "page");
  folder_.link("near.html", "real/page.html");
  folder_.link("whole.html", folder_.path("real/page.html"));
  folder_.link("other", "real");
  folder_.link("twice.html", "near.html");
  load();
  EXPECT_EQ(content("/near.html"), "page");
  EXPECT_EQ(content("/whole.html"), "page") << "an absolute symlink to the inside";
  EXPECT_EQ(content("/other/page.html"), "page");
  EXPECT_EQ(content("/twice.html"), "page");
}

TEST_F(Walk, SymlinksOutOfTheFolderAreNot) {
  const Folder outside;
  outside.write("secret.txt", "secret");
  outside.link("way-out", "/etc");
  // Its name begins as the folder's.
  const std::string neighbour = folder_.path() + "-neighbour";
  std::filesystem::create_directory(neighbour);
  std::filesystem::copy_file(outside.path("secret.txt"), neighbour + "/secret.txt");
  folder_.write("index.html", "top");
  folder_.link("file.txt", outside.path("secret.txt"));
  folder_.link("folder", outside.path());
  folder_.link("neighbour", neighbour);
  folder_.link("up.txt",
               "../" + std::filesystem::path(outside.path()).filename().string() + "/secret.txt");
  folder_.link("nested/deep.txt", "../file.txt");
  folder_.link("parent", "..");
  load();
  std::filesystem::remove_all(neighbour);
  for (const char* path : {"/file.txt", "/folder/secret.txt", "/neighbour/secret.txt", "/up.txt",
                           "/nested/deep.txt", "/folder/way-out/passwd"}) {
    EXPECT_EQ(content(path), "(missing)") << path;
  }
  EXPECT_EQ(site_->files_count(), 1U);
  EXPECT_TRUE(has_note("'/folder' is a symlink out of the folder"));
}

// A Kubernetes volume: each file is a symlink through "..data", which is one itself.
TEST_F(Walk, TheTargetOfASymlinkMayBeginWithADot) {
  folder_.write("..2026_11_29/index.html", "mounted");
  folder_.link("..data", "..2026_11_29");
  folder_.link("index.html", "..data/index.html");
  load();
  EXPECT_EQ(content("/index.html"), "mounted");
  EXPECT_EQ(site_->files_count(), 1U);
}

TEST_F(Walk, SymlinksInACircleEnd) {
  folder_.write("a/file.txt", "x");
  folder_.link("a/self", ".");
  folder_.link("a/top", "..");
  folder_.link("a/b", "../c");
  folder_.link("c/a", "../a");
  folder_.link("loop", "loop");
  load();
  EXPECT_EQ(content("/a/file.txt"), "x");
  EXPECT_EQ(content("/c/a/file.txt"), "x");
  EXPECT_EQ(content("/a/b/a/file.txt"), "(missing)");
  EXPECT_TRUE(has_note("'/a/self' leads back"));
  EXPECT_TRUE(has_note("'/loop' is a symlink that leads nowhere"));
}

// Field report 26.
TEST_F(Walk, TheFolderItselfMayBeASymlinkThatIsSwapped) {
  folder_.write("release-1/index.html", "one");
  folder_.write("release-2/index.html", "two");
  folder_.link("current", "release-1");
  options_.root = folder_.path("current");
  load();
  EXPECT_EQ(content("/index.html"), "one");
  folder_.link("next", "release-2");
  folder_.rename("next", "current");
  load();
  EXPECT_EQ(content("/index.html"), "two");
}

// Field report 27.
TEST_F(Walk, NamesMayHoldAnyByte) {
  const std::vector<std::string> names{
      "100%.txt",     "a%2fb",    "back\\slash", "line\nend", "'quote'", "\"two\"",
      "\xc3\xa4.txt", "\xff\xfe", " blank ",     "~",         "-"};
  for (const std::string& name : names) folder_.write("odd/" + name, name);
  load();
  for (const std::string& name : names) EXPECT_EQ(content("/odd/" + name), name);
  EXPECT_EQ(content("/odd/a/b"), "(missing)");
}

TEST_F(Walk, OnlyFilesAreServed) {
  folder_.write("index.html", "top");
  check_errno(mkfifo(folder_.path("pipe").c_str(), 0600), "mkfifo");
  load();
  EXPECT_EQ(content("/pipe"), "(missing)");
  EXPECT_TRUE(has_note("'/pipe' is no file"));
}

TEST_F(Walk, AMissingFolderIsRefusedWithItsCure) {
  options_.root = folder_.path("nowhere");
  EXPECT_EQ(refusal(), "there is no folder '" + options_.root +
                           "'. Cure: name the folder whose files are to be served");
  folder_.write("file", "x");
  options_.root = folder_.path("file");
  EXPECT_NE(refusal().find("is no folder. Cure:"), std::string::npos);
}

TEST_F(Walk, AnEmptyFolderIsRefusedWithItsCure) {
  folder_.make_directory("empty");
  folder_.write(".hidden", "x");
  EXPECT_NE(refusal().find("has no file to serve. Cure: put an index.html into it"),
            std::string::npos);
}

TEST_F(Walk, WhatCannotBeReadIsRefusedWithItsCure) {
  check_errno(chmod(folder_.path().c_str(), 0755), "chmod");
  folder_.write("secret.html", "x");
  check_errno(chmod(folder_.path("secret.html").c_str(), 0), "chmod");
  {
    const AsNobody nobody;
    EXPECT_NE(refusal().find("'secret.html' cannot be read: Permission denied. Cure: let"),
              std::string::npos);
  }
  folder_.remove("secret.html");
  folder_.write("closed/file", "x");
  check_errno(chmod(folder_.path("closed").c_str(), 0), "chmod");
  {
    const AsNobody nobody;
    EXPECT_NE(refusal().find("'closed' cannot be read: Permission denied. Cure: let"),
              std::string::npos);
  }
  check_errno(chmod(folder_.path().c_str(), 0), "chmod");
  {
    const AsNobody nobody;
    EXPECT_NE(refusal().find("cannot be read: Permission denied. Cure: let"), std::string::npos);
  }
  check_errno(chmod(folder_.path().c_str(), 0700), "chmod");
}

TEST_F(Walk, ABrokenFolderLeavesTheSiteThatIsThere) {
  folder_.write("index.html", "good");
  load();
  folder_.remove("index.html");
  EXPECT_NE(refusal(), "(none)");
  EXPECT_EQ(content("/index.html"), "good");
}

}  // namespace
}  // namespace lab
