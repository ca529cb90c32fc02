// ring-cp and ring-cat as their users call them: what comes out is what went in, and what cannot be
// done is said.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/files/page_cache.hpp"
#include "tests/files/files_fixture.hpp"

namespace lab {

namespace {

// One byte, a page less one, the largest small file and its neighbours, a block and its neighbours,
// many blocks and a byte.
constexpr std::size_t sizes[] = {0,      1,      4095,   131071, 131072,
                                 131073, 524287, 524288, 524289, 5'000'001};

TEST_F(FilesTest, CopiesFilesOfEverySize) {
  for (const std::size_t size : sizes) {
    write_all(folder_ / "from", random_bytes(size));
    const Ended ended = run("$CP from to");
    EXPECT_EQ(ended.status, 0) << ended.printed;
    EXPECT_EQ(read_all(folder_ / "to"), random_bytes(size)) << size << " bytes";
  }
}

TEST_F(FilesTest, WhatIsNotInThePageCacheNeedNotGoThere) {
  for (const std::size_t size : {4096, 4097, 2 * 262144, 5'000'001}) {
    write_all(folder_ / "from", random_bytes(size));
    const Fd from(open((folder_ / "from").c_str(), O_RDONLY | O_CLOEXEC));
    const auto cool = [&from] {
      check_errno(fsync(from.get()), "fsync");
      posix_fadvise(from.get(), 0, 0, POSIX_FADV_DONTNEED);
      return cached_share(from) == 0;
    };
    if (!cool()) GTEST_SKIP() << "needs a temporary folder on a disk: here files are memory";
    EXPECT_EQ(run("$CP from to").status, 0);
    EXPECT_EQ(cached_share(from), 0) << size << " bytes went through the page cache";
    EXPECT_EQ(read_all(folder_ / "to"), random_bytes(size)) << size << " bytes";
    ASSERT_TRUE(cool());
    EXPECT_EQ(run("$CP --buffered from to").status, 0);
    EXPECT_EQ(cached_share(from), 1) << "the flag did nothing";
    EXPECT_EQ(read_all(folder_ / "to"), random_bytes(size)) << size << " bytes";
  }
}

TEST_F(FilesTest, OverwritesALongerFile) {
  write_all(folder_ / "from", "short");
  write_all(folder_ / "to", random_bytes(300'000));
  EXPECT_EQ(run("$CP from to").status, 0);
  EXPECT_EQ(read_all(folder_ / "to"), "short");
}

TEST_F(FilesTest, CopiesAFolderWithAllThatIsInIt) {
  files::create_directories(folder_ / "from/deep/deeper");
  for (const std::size_t size : sizes) {
    write_all(folder_ / "from" / std::to_string(size), random_bytes(size));
    write_all(folder_ / "from/deep/deeper" / std::to_string(size), random_bytes(size + 7));
  }
  for (int number = 0; number < 300; ++number) {
    write_all(folder_ / "from/deep" / std::to_string(number), random_bytes(number * 13));
  }
  files::create_symlink("deep/1", folder_ / "from/link");
  chmod((folder_ / "from/1").c_str(), 0755);
  for (const char* chains : {"1", "3", "64"}) {
    const Ended ended = run(std::string("rm -rf to && $CP -r from to --chains ") + chains);
    EXPECT_EQ(ended.status, 0) << ended.printed;
    const Ended compared = run("diff -r --no-dereference from to");
    EXPECT_EQ(compared.status, 0) << compared.printed;
    struct stat status {};
    ASSERT_EQ(stat((folder_ / "to/1").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0111U, 0111U) << "the file's mode was lost";
  }
}

TEST_F(FilesTest, SaysWhatCannotBeCopiedAndCopiesTheRest) {
  files::create_directory(folder_ / "from");
  write_all(folder_ / "from/good", "good");
  write_all(folder_ / "from/blocked", "blocked");
  check_errno(mkfifo((folder_ / "from/pipe").c_str(), 0600), "mkfifo");
  const Ended ended = run("mkdir -p to/from/blocked; $CP -r from to");
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.printed.find("blocked: Is a directory"), std::string::npos) << ended.printed;
  EXPECT_NE(ended.printed.find("pipe: is neither"), std::string::npos) << ended.printed;
  EXPECT_EQ(read_all(folder_ / "to/from/good"), "good");
}

TEST_F(FilesTest, NeverCopiesAFileOntoItselfOrAFolderIntoItself) {
  write_all(folder_ / "file", "content");
  EXPECT_EQ(run("ln file other && $CP file other").status, 1);
  EXPECT_EQ(read_all(folder_ / "file"), "content");
  EXPECT_EQ(run("mkdir folder && $CP -r folder folder/sub").status, 1);
  EXPECT_FALSE(files::exists(folder_ / "folder/sub"));
  EXPECT_EQ(run("$CP folder file2").status, 1);
}

TEST_F(FilesTest, AFileThatIsThereAlreadyUnderAnotherNameIsLeftAsItIs) {
  const std::string bytes = random_bytes(300'000);
  for (const char* link : {"ln", "ln -s"}) {
    run("rm -rf from to; mkdir -p from to/from; echo small >from/small; echo new >from/new");
    write_all(folder_ / "from/large", bytes);
    run(std::string(link) + " $PWD/from/small to/from/small; " + link +
        " $PWD/from/large to/from/large");
    const Ended ended = run("$CP -r from to");
    EXPECT_EQ(ended.status, 1) << link;
    const std::string cause = link == std::string("ln") ? ": is the file" : ": is a link";
    EXPECT_TRUE(ended.says("to/from/small" + cause)) << ended.printed;
    EXPECT_TRUE(ended.says("to/from/large" + cause)) << ended.printed;
    EXPECT_EQ(read_all(folder_ / "from/small"), "small\n");
    EXPECT_EQ(read_all(folder_ / "from/large"), bytes);
    EXPECT_EQ(read_all(folder_ / "to/from/new"), "new\n");
  }
}

// Blocks come out of order, and a pipe keeps the order in which they come.
TEST_F(FilesTest, NeverCopiesIntoAPipe) {
  write_all(folder_ / "a", random_bytes(3'000'000));
  EXPECT_EQ(run("$CP a /dev/stdout | cat >out; [ ! -s out ]").status, 0);
  run("mkdir -p from to/from; mkfifo to/from/pipe; echo a >from/pipe; echo b >from/file");
  const Ended ended = run("$CP -r from to");
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.printed.find("pipe: is a pipe"), std::string::npos) << ended.printed;
  EXPECT_EQ(read_all(folder_ / "to/from/file"), "b\n");
}

// The kernel's own files: st_size is 0, and there is something in them.
TEST_F(FilesTest, CopiesWhatSaysThatItIsEmpty) {
  EXPECT_EQ(run("$CP -r /proc/sys/kernel/random to").status, 0);
  EXPECT_EQ(run("cmp /proc/sys/kernel/random/boot_id to/boot_id").status, 0);
}

TEST_F(FilesTest, NamesTheCopyOfAFolderAsCpDoes) {
  run("mkdir -p from/inner; echo a >from/inner/a");
  for (const char* source : {"from/inner", "from/inner/", "from/inner/.", "from/inner/../inner"}) {
    run("rm -rf ours theirs; mkdir ours theirs");
    EXPECT_EQ(run(std::string("$CP -r ") + source + " ours").status, 0) << source;
    run(std::string("cp -r ") + source + " theirs");
    EXPECT_EQ(run("diff -r ours theirs").printed, "") << source;
  }
  EXPECT_EQ(run("mkdir -p x/y z; cd x/y && echo b >../b && $CP -r .. ../../z").status, 0);
  EXPECT_EQ(read_all(folder_ / "z/b"), "b\n");
  EXPECT_EQ(run("cd from; $CP -r .. inner/in").status, 1) << "into itself";
  EXPECT_FALSE(files::exists(folder_ / "from/inner/in"));
}

TEST_F(FilesTest, LinksAndModesAreThoseOfTheSource) {
  run("mkdir -p from/closed; echo a >from/closed/a; ln -s old from/link; chmod 555 from/closed");
  EXPECT_EQ(run("$CP -r from to").status, 0);
  EXPECT_EQ(run("ln -snf new from/link; chmod 755 to/closed; $CP -r from/. to").status, 0)
      << "a link that is there already is replaced";
  EXPECT_EQ(files::read_symlink(folder_ / "to/link"), "new");
  EXPECT_EQ(run("rm -rf to; $CP -r from to; stat -c %a to/closed").printed, "555\n");
  EXPECT_EQ(run("$CP -r from/link link; readlink link").printed, "new\n");
  run("chmod -R u+w .");  // for the removal
}

// Not when the kernel takes the ring down, which it does after the exit.
TEST_F(FilesTest, ItsFilesAreClosedWhenItEnds) {
  run("mkdir from; cp /bin/true from/run");
  for (int time = 0; time < 10; ++time) {
    const Ended ended = run("rm -rf to; $CP -r from to && to/run");
    EXPECT_EQ(ended.status, 0) << ended.printed;
  }
}

TEST_F(FilesTest, WrongOptionsAndAClosedStderrEndWithTheirOwnCodes) {
  EXPECT_EQ(run("$CP --nothing a b").status, 2);
  EXPECT_EQ(run("$CAT --nothing").status, 2);
  EXPECT_EQ(run("$CP nothing b 2>&-").status, 1);
  EXPECT_EQ(run("$CAT nothing 2>/dev/full").status, 1);
  EXPECT_NE(run("$CP -r /proc/self/mem b; $CP /proc/self/mem b").printed.find("mem: reading:"),
            std::string::npos);
}

TEST_F(FilesTest, ReadsOnFromWhereStandardInputStands) {
  const std::string bytes = random_bytes(3'000'000);
  write_all(folder_ / "a", bytes);
  EXPECT_EQ(run("{ head -c 5 >/dev/null; $CAT; $CAT; cat; } <a >out; $CAT - - <a >twice").status,
            0);
  EXPECT_EQ(read_all(folder_ / "twice"), bytes) << "the second - begins where the first ended";
  EXPECT_EQ(read_all(folder_ / "out").size(), bytes.size() - 5);
}

TEST_F(FilesTest, NeverReadsItsOwnOutput) {
  write_all(folder_ / "a", random_bytes(300'000));
  const Ended ended = run("ulimit -f 2000; $CAT a >>a");
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.printed.find("is also the output"), std::string::npos) << ended.printed;
  EXPECT_EQ(files::file_size(folder_ / "a"), 300'000U);
}

TEST_F(FilesTest, PrintsIntoAPipeAFileAndOnToTheEndOfOne) {
  const std::string bytes = random_bytes(3'000'001);
  write_all(folder_ / "a", bytes);
  write_all(folder_ / "b", "b");
  write_all(folder_ / "empty", "");
  EXPECT_EQ(run("$CAT a empty b | cat >out").status, 0);
  EXPECT_EQ(read_all(folder_ / "out"), bytes + "b");
  EXPECT_EQ(run("$CAT a b >out; $CAT b >>out").status, 0);
  EXPECT_EQ(read_all(folder_ / "out"), bytes + "bb");
  EXPECT_EQ(run("cat a | $CAT b - b >out").status, 0);
  EXPECT_EQ(read_all(folder_ / "out"), "b" + bytes + "b");
  EXPECT_EQ(run("(read -r line <b; $CAT) <a | cat >out").status, 0);
  EXPECT_EQ(read_all(folder_ / "out"), bytes);
}

TEST_F(FilesTest, SlowWritersAndReadersChangeNothing) {
  const std::string bytes = random_bytes(400'000);
  write_all(folder_ / "a", bytes);
  EXPECT_EQ(run("(head -c 3 a; sleep 0.05; tail -c +4 a) | $CAT | (sleep 0.05; cat >out)").status,
            0);
  EXPECT_EQ(read_all(folder_ / "out"), bytes);
}

TEST_F(FilesTest, SaysWhatCannotBePrinted) {
  write_all(folder_ / "a", "a");
  const Ended ended = run("$CAT nothing a");
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.printed.find("nothing: No such file"), std::string::npos) << ended.printed;
  EXPECT_EQ(ended.printed.back(), 'a');
  const Ended full = run("$CAT a >/dev/full");
  EXPECT_EQ(full.status, 1);
  EXPECT_NE(full.printed.find("No space left"), std::string::npos) << full.printed;
  const Ended gone =
      run("head -c 9000000 /dev/zero >z; $CAT z | head -c 1 >/dev/null; $CAT z z | true");
  EXPECT_EQ(gone.printed, "") << "a reader that has gone is no reason for a word";
}

}  // namespace

}  // namespace lab
