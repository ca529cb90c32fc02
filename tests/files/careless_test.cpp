// ring-cp and ring-cat where a user is careless or somebody has laid a link: nothing is lost,
// nothing gets rights that it should not have, and what was not copied is said. The model is cp.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/files/files_fixture.hpp"

namespace lab {

namespace {

using CarelessTest = FilesTest;

TEST_F(CarelessTest, AFolderIsNeverCopiedIntoItselfWhateverItIsCalled) {
  run("mkdir -p w/sub; echo a >w/f; ln -s $PWD/w/sub link");
  const std::string before = run("find w | sort").printed;
  for (const char* command :
       {"cd w; $CP -r . backup", "cd w; $CP -r ../w backup", "cd w; $CP -r . sub/backup",
        "cd w; $CP -r ../w sub", "cd w/sub; $CP -r .. backup/", "cd w; $CP -r . ./",
        "$CP -r w link", "$CP -r w link/new", "$CP -r w w", "$CP -r w/. w", "$CP -r w .",
        "cd w/sub; $CP -r ../../w ./backup//"}) {
    const Ended ended = run(command);
    EXPECT_EQ(ended.status, 1) << command;
    EXPECT_TRUE(ended.says("that it would be copied from")) << command << "\n" << ended.printed;
    EXPECT_EQ(run("find w | sort").printed, before) << command;
  }
}

// Not even ".." tells where such a folder lies; what is met on the way down does.
TEST_F(CarelessTest, AFolderThatIsMountedInTwoPlacesIsNotCopiedIntoItself) {
  if (run("mkdir src dst; unshare -m mount --bind src dst").status != 0) {
    GTEST_SKIP() << "needs root with the right to mount";
  }
  run("mkdir -p src/sub src/other; echo a >src/a; echo b >src/sub/b; ln -s old src/sub/link");
  const Ended into = run("unshare -m sh -c 'mount --bind src/sub dst && \"$0\" -r src dst' $CP");
  EXPECT_EQ(into.status, 1);
  EXPECT_TRUE(into.says("would be copied into itself")) << into.printed;
  EXPECT_EQ(run("cd src/sub/src; find . | sort").printed,
            ".\n./a\n./other\n./sub\n./sub/b\n./sub/link\n");
  run("rm -r src/sub/src; mkdir -p dst/src/sub");
  const Ended onto =
      run("unshare -m sh -c 'mount --bind src/sub dst/src/sub && \"$0\" -r src dst' $CP");
  EXPECT_EQ(onto.status, 1);
  EXPECT_TRUE(onto.says("dst/src/sub: is the folder that it would be")) << onto.printed;
  EXPECT_EQ(read_all(folder_ / "src/sub/b"), "b\n");
  EXPECT_EQ(run("readlink src/sub/link").printed, "old\n");
  EXPECT_EQ(read_all(folder_ / "dst/src/a"), "a\n") << "the rest is copied";
}

// As cp: the owner is not kept, so the bits that give the owner's or the group's rights are not.
TEST_F(CarelessTest, ACopyGetsNoRightsOfItsSourcesOwner) {
  write_all(folder_ / "large", random_bytes(200'000));
  run("mkdir from inherits; chmod 2755 inherits; for mode in 6755 4711 2755 1755 6777 1777 0600; "
      "do "
      "echo a >from/small$mode; : >from/empty$mode; cp large from/large$mode; "
      "mkdir from/folder$mode; done");
  if (geteuid() == 0) run("chown 65534:65534 from/*");
  run("for file in from/*; do chmod ${file#${file%????}} $file; done");
  ASSERT_NE(run("find from -perm /6000").printed, "");
  const std::string list = "find . -printf '%m %y %p\\n' | sort";
  for (const char* umask : {"022", "0", "077"}) {
    run("rm -rf ours theirs");
    const Ended ours = run(std::string("umask ") + umask +
                           "; cp -r inherits ours; cp -r inherits theirs; chmod 2755 ours theirs;"
                           "$CP -r from ours && for file in from/[sel]*6755; do "
                           "$CP $file ours/one-${file#from/}; cp $file theirs/one-${file#from/}; "
                           "done; cp -r from theirs");
    EXPECT_EQ(ours.status, 0) << ours.printed;
    EXPECT_EQ(run("find ours -type f -perm /7000").printed, "") << umask;
    EXPECT_EQ(run("cd ours; " + list).printed, run("cd theirs; " + list).printed) << umask;
  }
}

// The option parser has a list syntax; names have none.
TEST_F(CarelessTest, NamesAreTakenAsTheyAre) {
  run("mkdir to");
  write_all(folder_ / "a", "another");
  std::string all_names;
  std::string all_content;
  for (const std::string name : {"[a]", "[]", "[", "]", "{}", "[[aa]]", "[a,b]", "[a", "%%", "++",
                                 "a b", "a\nb", "\n", "a,b", "a=b", "\"a\"", "\\", "*"}) {
    const std::string quoted = " '" + name + "'";
    write_all(folder_ / name, "content of " + name);
    all_names += quoted;
    all_content += "content of " + name;
    EXPECT_EQ(
        run("$CP" + quoted + " to; $CP a" + quoted + "; cat to/* ./" + quoted.substr(1)).printed,
        "content of " + name + "another");
    run("mv to/* .");
  }
  EXPECT_EQ(run("$CAT a" + all_names + " a").printed, "another" + all_content + "another");
  EXPECT_EQ(run("$CAT '[a]'; $CAT '[]'; $CAT '{}'").printed,
            "content of [a]content of []content of {}");
  EXPECT_EQ(run("rm '[]'; $CAT '[]'").status, 1);
  write_all(folder_ / "-x", "dashed");
  EXPECT_EQ(run("$CAT -- -x").printed, "dashed");
  EXPECT_EQ(run("$CAT ./-x").printed, "dashed");
  EXPECT_EQ(run("echo from stdin | $CAT - -- - -x").printed, "from stdin\ndashed");
  EXPECT_EQ(run("$CP -- -x -y && cat ./-y").printed, "dashed");
  EXPECT_EQ(run("$CAT ''").status, 2);
}

// What is in the way of a link is replaced; not before it is known not to be the link.
TEST_F(CarelessTest, ALinkIsNotLostInItsOwnCopy) {
  run("ln -s nowhere dangling; echo content >file; ln -s file link; ln link hard; mkdir to;"
      "ln dangling to/dangling");
  for (const char* command : {"$CP -r dangling .", "$CP -r link .", "$CP -r link file",
                              "$CP -r file link", "$CP -r link hard", "$CP -r dangling to",
                              "$CP -r dangling dangling", "$CP file link", "$CP link file"}) {
    const Ended ended = run(command);
    EXPECT_EQ(ended.status, 1) << command;
    EXPECT_TRUE(ended.says("is the file that it would be") || ended.says("is a link to nothing"))
        << ended.printed;
    EXPECT_EQ(run("readlink dangling link hard to/dangling; cat file").printed,
              "nowhere\nfile\nfile\nnowhere\ncontent\n")
        << command;
  }
}

TEST_F(CarelessTest, LinksDeepInATreeAreNotLostWhereTheTargetLeadsBack) {
  run("mkdir -p from/sub to/from; ln -s nowhere from/sub/dangling; echo a >from/sub/file;"
      "ln -s file from/sub/link; echo top >from/top; ln -s $PWD/from/sub to/from/sub");
  const Ended ended = run("$CP -r from to");
  EXPECT_EQ(ended.status, 1);
  EXPECT_TRUE(ended.says("to/from/sub: is no folder")) << ended.printed;
  EXPECT_EQ(run("readlink from/sub/dangling from/sub/link; cat from/sub/file to/from/top").printed,
            "nowhere\nfile\na\ntop\n");
  // A link that names the file in whose place it would come.
  run("rm -rf from to; mkdir -p from to/from; echo old >to/from/link; ln -s ../to/from/link "
      "from/link");
  EXPECT_EQ(run("$CP -r from to").status, 1);
  EXPECT_EQ(read_all(folder_ / "to/from/link"), "old\n");
}

TEST_F(CarelessTest, AFolderTakesNoOtherPlaceThanAFolders) {
  run("mkdir -p from/sub outside; echo 1 >from/sub/1; echo 2 >from/2; touch file; mkfifo fifo;"
      "ln -s nowhere dangling; ln -s outside link");
  for (const char* name : {"file", "fifo", "dangling", "link", "/dev/null"}) {
    run("rm -rf to");
    // At the top: a link to a folder is one that the copy comes into.
    if (name != std::string("link")) {
      const Ended top = run(std::string("$CP -r from ") + name);
      EXPECT_EQ(top.status, 1) << name;
      EXPECT_TRUE(top.says(std::string(name) + ": is no folder")) << top.printed;
    }
    // As the name of the copy, and deep in it.
    if (name[0] == '/') continue;
    const std::string beside = std::string("mv ") + name + " to/";
    const Ended named = run("mkdir to; " + beside + "from; $CP -r from to");
    EXPECT_EQ(named.status, 1) << name;
    EXPECT_TRUE(named.says("to/from: is no folder")) << named.printed;
    run(std::string("mv to/from ") + name);
    const Ended deep = run("mkdir to/from; " + beside + "from/sub; $CP -r from to");
    EXPECT_EQ(deep.status, 1) << name;
    EXPECT_TRUE(deep.says("to/from/sub: is no folder")) << deep.printed;
    EXPECT_EQ(read_all(folder_ / "to/from/2"), "2\n") << "the rest is copied";
    run(std::string("mv to/from/sub ") + name);
  }
  EXPECT_EQ(run("ls outside").printed, "");
  EXPECT_EQ(run("ls nowhere").status, 2);
  EXPECT_EQ(run("$CP -r from link; ls outside/from").printed, "2\nsub\n")
      << "a link to a folder that the user named is followed";
}

TEST_F(CarelessTest, NothingOutsideTheTargetIsWritten) {
  for (const std::size_t size : {0, 10, 200'000}) {
    run("rm -rf from to outside; mkdir -p from to/from outside; echo precious >outside/secret");
    for (const char* name : {"file", "dangling", "near", "other"}) {
      write_all(folder_ / "from" / name, random_bytes(size));
    }
    run("cd to/from; ln -s ../../outside/secret file; ln -s ../../outside/new dangling;"
        "echo near >beside; ln -s beside near");
    const Ended ended = run("$CP -r from to");
    EXPECT_EQ(ended.status, 1);
    for (const char* name : {"file", "dangling", "near"}) {
      EXPECT_TRUE(ended.says(std::string("to/from/") + name + ": is a link")) << ended.printed;
    }
    EXPECT_EQ(run("ls outside; cat outside/secret to/from/beside").printed,
              "secret\nprecious\nnear\n");
    EXPECT_EQ(read_all(folder_ / "to/from/other"), random_bytes(size));
  }
}

// As cp: a link that the user names is followed, but no file is made at its end.
TEST_F(CarelessTest, ALinkThatTheUserNamesIsFollowedToAFile) {
  run("echo a >from; echo b >file; ln -s file link; ln -s nowhere dangling; mkdir to;"
      "echo c >other; ln -s ../other to/from");
  EXPECT_EQ(run("$CP from link; cat file; readlink link").printed, "a\nfile\n");
  EXPECT_EQ(run("$CP from to; cat other; readlink to/from").printed, "a\n../other\n");
  const Ended ended = run("$CP from dangling");
  EXPECT_EQ(ended.status, 1);
  EXPECT_TRUE(ended.says("dangling: is a link to nothing")) << ended.printed;
  EXPECT_FALSE(files::exists(folder_ / "nowhere"));
}

// Files of /sys say 4096 bytes and have fewer, and most have the mode 0444: not even the copy's
// owner may open it a second time.
TEST_F(CarelessTest, AUserCopiesWhatIsReadOnly) {
  if (const std::string why = no_user(); !why.empty()) GTEST_SKIP() << why;
  write_all(folder_ / "large", random_bytes(200'000));
  run("mkdir from; echo a >from/small; : >from/empty; cp large from/large; chmod 444 from/*");
  const Ended ended = run_as_user("$CP -r from to && diff -r from to");
  EXPECT_EQ(ended.status, 0) << ended.printed;
  EXPECT_EQ(run_as_user("$CP from/small one && cat one").printed, "a\n");
  const Ended again = run_as_user("$CP -r from/. to");
  EXPECT_EQ(again.status, 1);
  EXPECT_TRUE(again.says("to/small: Permission denied")) << again.printed;
  const std::string sys = run("ls -d /sys/block/*/queue | head -n 1").printed;
  if (!sys.starts_with("/sys/")) GTEST_SKIP() << "no /sys/block/*/queue here";
  const std::string queue = sys.substr(0, sys.size() - 1);
  run("mkdir copies");
  const Ended ours = run_as_user("$CP -r " + queue + " copies/ours");
  const Ended theirs = run_as_user("cp -r " + queue + " copies/theirs");
  EXPECT_EQ(ours.status, theirs.status) << ours.printed;
  EXPECT_FALSE(ours.says("Permission")) << ours.printed;
  EXPECT_EQ(run("diff -r copies/ours copies/theirs").printed, "");
  EXPECT_NE(run("find copies/ours -type f -size +0 -perm 444").printed, "");
}

// The cause is what happened, not that the file cannot be opened again.
TEST_F(CarelessTest, AFailedWriteIsToldAsOne) {
  if (const std::string why = no_user(); !why.empty()) GTEST_SKIP() << why;
  run("mkdir from; head -c 100000 /dev/zero >from/small; head -c 400000 /dev/zero >from/large;"
      "echo a >from/good; chmod 444 from/*");
  const Ended ended = run_as_user("trap '' XFSZ; ulimit -f 8; $CP -r from to");
  EXPECT_EQ(ended.status, 1);
  EXPECT_TRUE(ended.says("to/small: writing: File too large")) << ended.printed;
  EXPECT_TRUE(ended.says("to/large: writing: File too large")) << ended.printed;
  EXPECT_EQ(read_all(folder_ / "to/good"), "a\n");
}

TEST_F(CarelessTest, WhatAUserMayNotReadOrWriteIsSaidAndTheRestIsCopied) {
  if (const std::string why = no_user(); !why.empty()) GTEST_SKIP() << why;
  run("mkdir -p from/closed from/open closed; echo a >from/closed/a; echo b >from/open/b;"
      "echo c >from/secret; chmod 0 from/closed from/secret; chmod 555 closed");
  const Ended ended = run_as_user("$CP -r from to");
  EXPECT_EQ(ended.status, 1);
  EXPECT_TRUE(ended.says("from/closed: Permission denied")) << ended.printed;
  EXPECT_TRUE(ended.says("from/secret: Permission denied")) << ended.printed;
  EXPECT_EQ(run("cd to; find . | sort").printed, ".\n./open\n./open/b\n");
  const Ended into = run_as_user("$CP -r from/open closed");
  EXPECT_EQ(into.status, 1);
  EXPECT_TRUE(into.says("closed/open: Permission denied")) << into.printed;
  const Ended content = run_as_user("$CP -r from/open/. closed");
  EXPECT_EQ(content.status, 1);
  EXPECT_TRUE(content.says("closed/b: Permission denied")) << content.printed;
  run("chmod 700 from/closed closed");
}

// Four descriptors do for any depth.
TEST_F(CarelessTest, ADeepTreeNeedsNoMoreDescriptors) {
  const Ended ended =
      run("path=from; for level in 1 2 3 4 5 6 7 8 9 10; do path=$path/a/b/c/d/e/f/g/h/i/j; done;"
          "mkdir -p $path; echo deep >$path/file; ulimit -n 48; $CP -r from to && diff -r from to");
  EXPECT_EQ(ended.status, 0) << ended.printed;
}

TEST_F(CarelessTest, EveryNameOfAFileIsAFileOfItsOwn) {
  run("mkdir from; echo a >from/a; ln from/a from/b; truncate -s 3M from/holes");
  EXPECT_EQ(run("$CP -r from to && diff -r from to; echo more >>to/a; cat to/b").printed, "a\n");
}

// A pipe keeps what was read for nobody, and so does a file that is read from its position: as with
// cat, what was read and not written is gone. Read at offsets, all of it would be there again.
TEST_F(CarelessTest, FilesOfUnknownSizeAreReadFromTheirPosition) {
  const std::string all = run("cat /proc/filesystems").printed;
  ASSERT_NE(all, "");
  EXPECT_EQ(run("$CAT /proc/filesystems").printed, all);
  EXPECT_EQ(run("{ head -c 1 >/dev/null; $CAT; } </proc/filesystems >out; cat out").printed,
            run("{ head -c 1 >/dev/null; cat; } </proc/filesystems").printed);
  EXPECT_EQ(run("{ $CAT >/dev/full; cat; } </proc/filesystems 2>/dev/null").printed, "");
  EXPECT_EQ(run("$CP /proc/kallsyms symbols; cmp /proc/kallsyms symbols").printed, "");
}

// What a profile of a container refuses is the world's doing and no bug; nothing is begun.
TEST_F(CarelessTest, ARingThatMayNotBeEnteredIsSaid) {
  run("mkdir from; echo a >from/a");
  for (const char* command : {"$CP from/a to", "$CP -r from to", "$CAT from/a"}) {
    const Ended ended = run_without_enter(command);
    EXPECT_EQ(ended.status, 1) << command << ended.printed;
    EXPECT_TRUE(ended.says("io_uring_enter") && ended.says("Operation not permitted"))
        << ended.printed;
    EXPECT_FALSE(files::exists(folder_ / "to"));
  }
}

// Whatever is closed: the files have what they should have, and a lost result is no success.
TEST_F(CarelessTest, ClosedStreamsNeverLeadIntoAFile) {
  run("mkdir -p from/sub; echo a >from/a; echo b >from/sub/b; mkfifo from/pipe;"
      "head -c 300000 /dev/zero >from/large");
  for (int closed = 0; closed < 8; ++closed) {
    const std::string streams = std::string((closed & 1) != 0 ? " <&-" : "") +
                                ((closed & 2) != 0 ? " >&-" : "") +
                                ((closed & 4) != 0 ? " 2>&-" : "");
    const Ended copy = run("rm -rf to; $CP -r from to" + streams);
    EXPECT_EQ(copy.status, 1) << streams << ": the pipe is not copied";
    EXPECT_EQ(copy.says("pipe: is neither"), (closed & 4) == 0) << streams;
    EXPECT_EQ(run("rm from/pipe; diff -r from to; mkfifo from/pipe").printed, "") << streams;
    const bool output = (closed & 2) == 0;
    const Ended print = run("$CAT from/a from/large nothing >out" + streams);
    EXPECT_EQ(print.status, 1) << streams;
    const std::string differs = run("cat from/a from/large | cmp - out").printed;
    EXPECT_EQ(differs.empty(), output) << streams << differs;
    for (const char* what : {"$CAT from/a", "$CAT /dev/null", "$CP --help"}) {
      const Ended some = run(what + streams);
      EXPECT_EQ(some.status, output ? 0 : 1) << what << streams;
      EXPECT_EQ(some.says("Bad file descriptor"), !output && (closed & 4) == 0) << some.printed;
    }
    EXPECT_EQ(run("$CAT -" + streams).status, (closed & 3) == 0 ? 0 : 1) << streams;
  }
  EXPECT_EQ(run("$CAT from/a 1<from/a").status, 1) << "an output that cannot be written";
}

}  // namespace

}  // namespace lab
