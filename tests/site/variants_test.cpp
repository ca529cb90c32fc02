// The codings of a file: which there are, where they come from, and that they hold the file.

#include <gtest/gtest.h>

#include "06-server/lib/site/compression.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

constexpr Coding all_codings[] = {Coding::gzip, Coding::brotli, Coding::zstd};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

using Variants = SiteTest;

TEST(Compression, EachCodingHoldsWhatItWasMadeOf) {
  for (const Coding coding : all_codings) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{200'000}}) {
      const std::string plain = prose(size);
      const std::string coded = packed(coding, plain);
      EXPECT_TRUE(holds(coding, bytes(coded), bytes(plain))) << coding_name(coding) << size;
      EXPECT_FALSE(holds(coding, bytes(coded), bytes(plain + "x"))) << coding_name(coding) << size;
      EXPECT_FALSE(holds(coding, bytes(coded + "x"), bytes(plain))) << "bytes behind it";
      EXPECT_FALSE(holds(coding, bytes(coded).first(coded.size() - 1), bytes(plain)));
      EXPECT_FALSE(holds(coding, bytes(plain), bytes(plain)));
    }
    EXPECT_FALSE(holds(coding, bytes(packed(coding, prose(1000))), bytes(prose(999))));
  }
}

TEST(Compression, WhatWouldBeLargerIsNotMade) {
  const std::string plain = noise(1000);
  for (const Coding coding : all_codings) {
    EXPECT_TRUE(compressed(coding, bytes(plain), Effort::best, plain.size()).empty());
    EXPECT_TRUE(compressed(coding, bytes(plain), Effort::best, 0).empty());
  }
}

TEST_F(Variants, AreMadeWhereTheyAreSmaller) {
  const std::string page = prose(20'000);
  folder_.write("page.html", page);
  folder_.write("app.js", page + "x");
  folder_.write("tiny.css", "a{}");
  load();
  for (const char* path : {"/page.html", "/app.js"}) {
    const Resource* resource = file(path);
    ASSERT_NE(resource, nullptr);
    EXPECT_TRUE(resource->negotiable);
    ASSERT_EQ(resource->variants.size(), 4U) << path;
    EXPECT_EQ(resource->variants.front().coding, Coding::identity);
    for (const Coding coding : all_codings) {
      const Variant* one = variant(path, coding);
      ASSERT_NE(one, nullptr);
      EXPECT_EQ(one->size, one->body.size());
      EXPECT_LT(one->size, resource->variants.front().size);
      EXPECT_TRUE(holds(coding, one->body, resource->variants.front().body));
    }
  }
  EXPECT_EQ(file("/tiny.css")->variants.size(), 1U);
  EXPECT_FALSE(file("/tiny.css")->negotiable);
}

// Field report 5.
TEST_F(Variants, WhatIsCompressedAlreadyHasOne) {
  folder_.write("picture.png", prose(20'000));  // would compress, were it tried
  load();
  EXPECT_EQ(file("/picture.png")->variants.size(), 1U);
  EXPECT_FALSE(file("/picture.png")->negotiable);
  EXPECT_EQ(field("/picture.png", "Vary"), "(none)");
}

TEST_F(Variants, EffortNoneMakesNone) {
  folder_.write("page.html", prose(20'000));
  options_.effort = Effort::none;
  load();
  EXPECT_EQ(file("/page.html")->variants.size(), 1U);
}

TEST_F(Variants, AreMadeWithTheEffortAskedFor) {
  const std::string page = prose(20'000);
  folder_.write("page.html", page);
  for (const Effort effort : {Effort::fast, Effort::good, Effort::best}) {
    options_.effort = effort;
    site_.reset();
    load();
    for (const Coding coding : all_codings) {
      EXPECT_EQ(text_of(variant("/page.html", coding)->body),
                text_of(compressed(coding, bytes(page), effort, page.size())));
    }
  }
  EXPECT_NE(compressed(Coding::zstd, bytes(page), Effort::fast, page.size()).size(),
            compressed(Coding::zstd, bytes(page), Effort::best, page.size()).size());
}

// Field reports 2 and 3.
TEST_F(Variants, SiblingsAreUsedUnderTheCodingsName) {
  const std::string page = prose(20'000);
  folder_.write("page.html", page);
  for (const Coding coding : all_codings) {
    folder_.write("page.html" + std::string(coding_suffix(coding)), packed(coding, page));
  }
  load();
  for (const Coding coding : all_codings) {
    EXPECT_EQ(text_of(variant("/page.html", coding)->body), packed(coding, page));
    EXPECT_EQ(field("/page.html", "Content-Encoding", coding), coding_name(coding));
    EXPECT_EQ(lines_named(fields("/page.html", coding), "Content-Encoding"), 1U);
  }
  EXPECT_EQ(coding_name(Coding::zstd), "zstd");
  // Under its own name a sibling is a file like others, and is not compressed once more.
  EXPECT_EQ(file("/page.html.gz")->variants.size(), 1U);
  EXPECT_EQ(field("/page.html.gz", "Content-Encoding"), "(none)");
  EXPECT_EQ(field("/page.html.gz", "Content-Type"), "application/gzip");
  EXPECT_EQ(variant("/page.html.gz", Coding::identity)->body.data(),
            variant("/page.html", Coding::gzip)->body.data())
      << "equal contents lie in memory once";
}

// Field report 1.
TEST_F(Variants, ASiblingThatIsLargerKeepsItsOwnLength) {
  const std::string tiny = "39 bytes that do not compress well: xyz";
  folder_.write("tiny.txt", tiny);
  for (const Coding coding : all_codings) {
    folder_.write("tiny.txt" + std::string(coding_suffix(coding)), packed(coding, tiny));
  }
  load();
  for (const Coding coding : all_codings) {
    const Variant* one = variant("/tiny.txt", coding);
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(one->size, packed(coding, tiny).size());
    EXPECT_EQ(text_of(one->body), packed(coding, tiny));
  }
  EXPECT_GT(variant("/tiny.txt", Coding::gzip)->size, tiny.size());
  EXPECT_EQ(file("/tiny.txt")->variants.front().coding, Coding::identity);
}

TEST_F(Variants, ASiblingOfAnotherContentIsNotUsed) {
  folder_.write("page.html", prose(20'000));
  folder_.write("page.html.gz", packed(Coding::gzip, prose(19'999)));
  folder_.write("page.html.br", "no brotli at all");
  options_.effort = Effort::none;
  load();
  EXPECT_EQ(file("/page.html")->variants.size(), 1U);
  EXPECT_TRUE(has_note("'/page.html.gz' does not hold what '/page.html' holds"));
  EXPECT_TRUE(has_note("'/page.html.br' does not"));
  options_.effort = Effort::good;
  load();
  EXPECT_TRUE(holds(Coding::gzip, variant("/page.html", Coding::gzip)->body,
                    file("/page.html")->variants.front().body));
}

// Field report 4: a file that exists compressed alone exists under that name alone.
TEST_F(Variants, ASiblingWithoutItsFileIsAFile) {
  folder_.write("alone.js.gz", packed(Coding::gzip, prose(1000)));
  load();
  EXPECT_EQ(find("/alone.js").kind, Found::Kind::missing);
  EXPECT_EQ(find("/alone.js").resource, nullptr);
  EXPECT_EQ(field("/alone.js.gz", "Content-Encoding"), "(none)");
}

TEST_F(Variants, TheNextGenerationTakesWhatTheLastOneMade) {
  folder_.write("same.html", prose(20'000));
  folder_.write("other.html", prose(20'000));
  options_.effort = Effort::best;
  load();
  const std::string same = text_of(variant("/same.html", Coding::brotli)->body);
  folder_.write("other.html", prose(30'000));
  options_.effort = Effort::fast;  // tells what was made now
  load();
  EXPECT_EQ(text_of(variant("/same.html", Coding::brotli)->body), same);
  EXPECT_EQ(text_of(variant("/other.html", Coding::brotli)->body),
            text_of(compressed(Coding::brotli, bytes(prose(30'000)), Effort::fast, 30'000)));
}

TEST_F(Variants, AreMadeByAnyNumberOfThreads) {
  for (unsigned number = 0; number < 30; ++number) {
    folder_.write("page" + std::to_string(number) + ".html", prose(1000 + number * 100));
  }
  for (const unsigned threads : {1U, 4U, 100U}) {
    options_.threads = threads;
    site_.reset();
    load();
    for (unsigned number = 0; number < 30; ++number) {
      const std::string path = "/page" + std::to_string(number) + ".html";
      EXPECT_EQ(content(path), prose(1000 + number * 100));
      EXPECT_TRUE(holds(Coding::zstd, variant(path, Coding::zstd)->body,
                        bytes(prose(1000 + number * 100))));
    }
  }
}

TEST_F(Variants, ASiteThatDoesNotFitIsRefusedWithItsCure) {
  folder_.write("large.bin", noise(200'000));
  options_.memory_limit = 100'000;
  EXPECT_NE(refusal().find("does not fit into the memory for it (0 MiB). Cure: a smaller "
                           "--memory-limit-file"),
            std::string::npos);
}

}  // namespace
}  // namespace lab
