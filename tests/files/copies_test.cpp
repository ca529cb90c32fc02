// The parts of ring-cp, where a moment counts that no command can meet: a name is something else
// when it is opened than it was when it was looked at.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "05-performance/files/copy_file.hpp"
#include "05-performance/files/copy_small.hpp"
#include "05-performance/files/folder.hpp"
#include "tests/files/files_fixture.hpp"

namespace lab {

namespace {

constexpr std::size_t block_size = 8192;

class CopiesTest : public FilesTest {
 protected:
  CopiesTest() { run("mkdir from to outside; echo precious >outside/file"); }

  Fd open_folder(const char* name) const {
    return Fd(open((folder_ / name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  std::vector<SmallFailure> copy_small(const std::vector<SmallFile>& files) {
    return small_.run(open_folder("from"), open_folder("to"), files);
  }

  Ring ring_{{.sq_entries = 64}};
  HugeArena memory_{4 * block_size};
  FileTable table_{ring_, 8};
  CopySmall small_{ring_, table_, memory_.memory().first(4 * block_size), block_size};
  CopyFile large_{ring_, memory_.memory().first(4 * block_size), block_size};
};

TEST_F(CopiesTest, WhatHasTakenTheTargetsPlaceIsNotTouched) {
  run("echo new >from/file; echo new >from/link; echo new >from/pipe; echo new >from/good;"
      "echo old >to/file; ln -s ../outside/file to/link; mkfifo to/pipe");
  const std::vector<SmallFile> listed = {
      {"file", 0644, 4}, {"link", 0644, 4}, {"pipe", 0644, 4}, {"good", 0644, 4}};
  const auto failures = copy_small(listed);
  ASSERT_EQ(failures.size(), 3U);
  for (const SmallFailure& failure : failures) EXPECT_EQ(failure.error.error, 0);
  EXPECT_EQ(read_all(folder_ / "to/file"), "old\n");
  EXPECT_EQ(read_all(folder_ / "outside/file"), "precious\n");
  EXPECT_EQ(read_all(folder_ / "to/good"), "new\n");
}

TEST_F(CopiesTest, ALinkInAnOldFilesPlaceIsNotFollowed) {
  run("echo new >from/a; echo new >from/b; ln -s ../outside/file to/a; echo longer >to/b");
  const std::vector<SmallFile> listed = {{"a", 0644, 4, true}, {"b", 0644, 4, true}};
  EXPECT_EQ(copy_small(listed).size(), 1U);
  EXPECT_EQ(read_all(folder_ / "outside/file"), "precious\n");
  EXPECT_EQ(read_all(folder_ / "to/b"), "new\n");
}

TEST_F(CopiesTest, ALinkInTheSourcesPlaceIsNotFollowed) {
  run("ln -s ../outside/file from/a");
  const std::vector<SmallFile> listed = {{"a", 0644, 4}};
  EXPECT_EQ(copy_small(listed).size(), 1U);
  EXPECT_FALSE(files::exists(folder_ / "to/a"));
}

// Shorter than it said, much shorter, not at all there; and its own maker may not open it again.
TEST_F(CopiesTest, AFileThatIsShorterThanItSaidIsStillWhole) {
  std::vector<SmallFile> listed;
  for (const std::size_t size : {0, 1, 4095, 4096}) {
    const std::string name = std::to_string(size);
    write_all(folder_ / "from" / name, random_bytes(size));
    listed.push_back({name, 0, 4097});
  }
  EXPECT_TRUE(copy_small(listed).empty());
  run("chmod 600 to/*");
  EXPECT_EQ(run("diff -r from to").printed, "");
}

// A pipe has no offsets: reading at one is an error, and two reads at a time mix its bytes.
TEST_F(CopiesTest, InOrderMeansOneBlockAfterTheOtherFromThePosition) {
  const std::string bytes = random_bytes(60'000);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  ASSERT_EQ(write(write_end.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  write_end.reset();
  const Fd to(open((folder_ / "to/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(large_.run_in_order(read_end, to).error, 0);
  EXPECT_EQ(read_all(folder_ / "to/file"), bytes);
}

TEST_F(CopiesTest, WhatSaysThatItIsEmptyHasNoOffsets) {
  write_all(folder_ / "file", "a");
  struct stat status {};
  const auto at_offsets = [&status](const files::path& path) {
    check_errno(stat(path.c_str(), &status), path.c_str());
    return has_offsets(status);
  };
  EXPECT_TRUE(at_offsets(folder_ / "file"));
  EXPECT_FALSE(at_offsets("/proc/self/maps"));
  EXPECT_FALSE(at_offsets("/dev/zero"));
}

TEST_F(CopiesTest, NoLinkLeadsOutOfAFolder) {
  run("mkdir -p to/a/b; ln -s $PWD/outside to/away; ln -s a to/near; echo a >to/file");
  const Fd to = open_folder("to");
  const auto error_of = [&to](const char* path) {
    return open_folder_below(to, path, O_PATH) ? 0 : errno;
  };
  EXPECT_EQ(error_of(""), 0);
  EXPECT_EQ(error_of("a/b"), 0);
  EXPECT_EQ(error_of("away"), ELOOP);
  EXPECT_EQ(error_of("near/b"), ELOOP);
  EXPECT_EQ(error_of("../outside"), EXDEV);
  EXPECT_EQ(error_of("/"), EXDEV);
  EXPECT_EQ(error_of("file"), ENOTDIR);
}

TEST_F(CopiesTest, WhereAFolderLiesIsNoMatterOfItsName) {
  run("mkdir -p from/a/b; ln -s $PWD/from/a/b to/link");
  const auto id = [this](const char* name) {
    struct stat status {};
    check_errno(stat((folder_ / name).c_str(), &status), name);
    return id_of(status);
  };
  EXPECT_TRUE(lies_in(open_folder("to/link"), id("from")));
  EXPECT_TRUE(lies_in(open_folder("from"), id("from")));
  EXPECT_FALSE(lies_in(open_folder("to"), id("from")));
  EXPECT_FALSE(lies_in(open_folder("from"), id("from/a")));
  EXPECT_FALSE(lies_in(Fd(), id("from")));
}

}  // namespace

}  // namespace lab
