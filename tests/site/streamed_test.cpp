// Files above the limit: not in memory, but open, with all that the others have.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "06-server/lib/site/compression.hpp"
#include "06-server/lib/site/site_file.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

class Streamed : public SiteTest {
 protected:
  Streamed() { options_.memory_limit_file = 10'000; }

  std::string read_all(const Variant& one) const {
    std::string text(one.size, '\0');
    const auto room = std::as_writable_bytes(std::span(text));
    EXPECT_EQ(read_file(one.fd, 0, room, "file"), one.size);
    return text;
  }
};

TEST_F(Streamed, WhatIsLargerThanTheLimitIsOpen) {
  folder_.write("limit.bin", noise(10'000));
  folder_.write("large.bin", noise(10'001));
  folder_.set_time("large.bin", 784111777);
  load();
  const Variant* limit = variant("/limit.bin", Coding::identity);
  EXPECT_EQ(limit->fd, -1);
  EXPECT_EQ(limit->body.size(), 10'000U);
  const Variant* large = variant("/large.bin", Coding::identity);
  EXPECT_TRUE(large->body.empty());
  EXPECT_EQ(large->size, 10'001U);
  EXPECT_EQ(read_all(*large), noise(10'001));
  EXPECT_EQ(large->modified_ns, 784111777'000'000'000);
  EXPECT_EQ(file("/large.bin")->modified_s, 784111777);
  EXPECT_NE(fcntl(large->fd, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(lines_named(large->fields, "ETag"), 1U);
  EXPECT_LT(site_->size(), 30'000U) << "its bytes are not in memory";
}

TEST_F(Streamed, AFileStaysWhatItWasWhenItsNameIsTaken) {
  folder_.write("large.bin", noise(20'000));
  load();
  folder_.write("next", noise(30'000));
  folder_.rename("next", "large.bin");
  EXPECT_EQ(read_all(*variant("/large.bin", Coding::identity)), noise(20'000));
  load();
  EXPECT_EQ(read_all(*variant("/large.bin", Coding::identity)), noise(30'000));
}

// The clock that gives files their times moves in steps.
TEST_F(Streamed, AChangeRightAfterTheBuildIsSeen) {
  for (unsigned round = 0; round < 50; ++round) {
    folder_.write("large.bin", noise(20'000));
    load();
    const Variant& built = *variant("/large.bin", Coding::identity);
    folder_.write("large.bin", noise(20'000));
    ASSERT_NE(stamp_of(built.fd).modified_ns, built.modified_ns) << round;
  }
}

TEST_F(Streamed, AnEtagIsOfTheContent) {
  folder_.write("a.bin", noise(20'000));
  folder_.write("b.bin", noise(20'000));
  folder_.write("c.bin", noise(20'001));
  folder_.set_time("b.bin", 5000);
  load();
  EXPECT_EQ(variant("/a.bin", Coding::identity)->etag, variant("/b.bin", Coding::identity)->etag);
  EXPECT_NE(variant("/a.bin", Coding::identity)->etag, variant("/c.bin", Coding::identity)->etag);
}

// Field report 14.
TEST_F(Streamed, AHoleOfGigabytesIsNotRead) {
  const std::uint64_t size = (std::uint64_t{5} << 30) + 7;
  folder_.make_sparse("huge.iso", size);
  load();
  const Variant* huge = variant("/huge.iso", Coding::identity);
  ASSERT_NE(huge, nullptr);
  EXPECT_EQ(huge->size, size);
  std::byte last{1};
  EXPECT_EQ(read_file(huge->fd, size - 1, std::span(&last, 1), "huge"), 1U);
  EXPECT_EQ(last, std::byte{0});
  const std::string etag(huge->etag);
  load();
  EXPECT_EQ(variant("/huge.iso", Coding::identity)->etag, etag);
  folder_.set_time("huge.iso", 5000);
  load();
  EXPECT_NE(variant("/huge.iso", Coding::identity)->etag, etag) << "told by its stamp";
}

TEST_F(Streamed, TheCodingsOfAStreamedFileAreInMemory) {
  const std::string page = prose(50'000);
  folder_.write("app.js", page);
  load();
  ASSERT_EQ(file("/app.js")->variants.size(), 4U);
  EXPECT_NE(variant("/app.js", Coding::identity)->fd, -1);
  for (const Coding coding : {Coding::gzip, Coding::brotli, Coding::zstd}) {
    const Variant* one = variant("/app.js", coding);
    EXPECT_EQ(one->fd, -1);
    EXPECT_TRUE(holds(coding, one->body, std::as_bytes(std::span(page))));
  }
  EXPECT_EQ(field("/app.js", "Content-Type"), "text/javascript; charset=utf-8");
}

TEST_F(Streamed, ACodingThatIsTooLargeForMemoryIsNotMade) {
  std::string text;
  for (const char byte : noise(30'000)) text += static_cast<char>('a' + (byte & 15));
  folder_.write("large.txt", text);
  load();
  EXPECT_EQ(file("/large.txt")->variants.size(), 1U);
}

TEST_F(Streamed, ALargeSiblingIsStreamedToo) {
  const std::string page = noise(30'000);
  folder_.write("data.txt", page);
  folder_.write("data.txt.gz", packed(Coding::gzip, page));
  folder_.set_time("data.txt", 5000);
  load();
  const Variant* gzip = variant("/data.txt", Coding::gzip);
  ASSERT_NE(gzip, nullptr);
  EXPECT_NE(gzip->fd, -1);
  EXPECT_EQ(read_all(*gzip), packed(Coding::gzip, page));
  EXPECT_NE(gzip->etag, variant("/data.txt", Coding::identity)->etag);
  EXPECT_EQ(gzip->fd, variant("/data.txt.gz", Coding::identity)->fd) << "one descriptor";
  // Of what is too large to be compared, the older one is of something else.
  folder_.set_time("data.txt.gz", 4999);
  load();
  EXPECT_EQ(variant("/data.txt", Coding::gzip), nullptr);
  EXPECT_TRUE(has_note("'/data.txt.gz' does not hold"));
}

TEST_F(Streamed, NothingInMemoryIsALimitToo) {
  folder_.write("index.html", prose(5000));
  folder_.write("empty", "");
  options_.memory_limit_file = 0;
  load();
  EXPECT_EQ(read_all(*variant("/", Coding::identity)), prose(5000));
  EXPECT_EQ(file("/")->variants.size(), 1U);
  EXPECT_EQ(variant("/empty", Coding::identity)->fd, -1);
  EXPECT_EQ(variant("/empty", Coding::identity)->size, 0U);
}

// Field report 31.
TEST_F(Streamed, MoreFilesThanDescriptorsAreRefusedWithTheirCure) {
  folder_.write("a.bin", noise(20'000));
  folder_.write("b.bin", noise(20'000));
  options_.streamed_files_max = 1;
  EXPECT_NE(refusal().find("more than 1 files are larger than --memory-limit-file, and each takes "
                           "a descriptor. Cure: raise ulimit -n"),
            std::string::npos);
  options_.streamed_files_max = 2;
  EXPECT_EQ(refusal(), "(none)");
}

}  // namespace
}  // namespace lab
